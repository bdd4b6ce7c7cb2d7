#!/usr/bin/env bash
# ports/modem: against a scripted modem in the same process, and as a device behind a modem process against the emulator.
# usage: run.sh BUILD-FOLDER   (from the root of the checkout)
set -u
[ $# -eq 1 ] || { echo "usage: run.sh BUILD-FOLDER" >&2; exit 2; }
case $1 in /*) work=$1/modem ;; *) work=$PWD/$1/modem ;; esac
. "$(dirname "$0")/../../tools/common.sh"
rm -rf "$work"
mkdir -p "$work"

need gcc gcc
need g++ g++
need libc6-dev /usr/include/stdio.h
need libbearssl-dev /usr/include/bearssl.h
need nodejs node
need npm npm
need openssl openssl
install_missing
npm_install tools/emulator
. tests/arduino/hub.sh

warnings="-Wall -Wextra -Wconversion -Wshadow -Wundef -pedantic -Werror"
sanitizers="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"

# result NAME COMMAND...: one line of this test; what the command printed stands below it when it failed.
result() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        tail -15 "$work/log" | sed 's/^/      /'
    fi
}

for language in "gcc -std=c89" "gcc -std=c99" "g++ -x c++ -std=c++98" "g++ -x c++ -std=c++11"; do
    result "modem: builds by $language" $language $warnings -I. -c tests/modem/implementation.c -o "$work/language.o"
done
if gcc -std=c89 $warnings $sanitizers -I. -c tests/modem/implementation.c -o "$work/implementation.o" \
    && gcc -std=c99 $sanitizers -I. -c tests/ports/conformance.c -o "$work/conformance.o" \
    && g++ -std=c++11 -Wall -Wextra -Werror $sanitizers -I. tests/modem/modem_test.cpp "$work/implementation.o" "$work/conformance.o" \
        -o "$work/modem_test"; then
    timeout 120 "$work/modem_test"
    code=$?
    [ $code -le 1 ] || echo "FAIL  modem_test ended with code $code"
else
    echo "FAIL  modem_test does not build"
fi

# device NAME DIALECT FAMILY [MODEM OPTION...]: five messages through this modem, seen at both ends.
device() {
    local name=$1 dialect=$2 family=$3
    shift 3
    mkdir -p "$work/$dialect"
    result "modem: $name: the device's messages are confirmed" through "$dialect" "$family" "$@"
    result "modem: $name: the hub has them" hub_telemetry 5
    [ -z "$hub_pid" ] || result "modem: $name: and no rule was broken" hub_stop
}
through() {
    local dialect=$1 family=$2
    shift 2
    hub_start "$work/$dialect" || { cat "$work/$dialect/hub.log"; return 1; }
    IOTHUB_CONNECTION_STRING="HostName=localhost:$hub_port;DeviceId=d1;SharedAccessKey=$hub_key" IOTHUB_TRUSTED_CERTS=$(cat "$hub_ca") \
        timeout 30 "$work/device" "$dialect" 5 node tests/modem/modem.js "$family" --ca "$hub_ca" "$@"
}
result "modem: tests/modem/device.c builds" gcc -std=gnu99 -Wall -Wextra -Werror $sanitizers -I. tests/modem/device.c -lbearssl -o "$work/device"
device "ESP-AT with TLS inside" esp_at_tls esp_at
device "ESP-AT, TLS by BearSSL" esp_at esp_at --chunk 3
device "Quectel with TLS inside" quectel_tls quectel
device "Quectel, TLS by BearSSL" quectel quectel --chunk 1
device "SIM800, TLS by BearSSL" sim800 sim800

# A modem that trusts another CA does not connect; and what the client says of it.
distrust() {
    hub_start "$work/distrust" || return 1
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/other.key" -out "$work/other.pem" -subj /CN=other -days 30 2>/dev/null
    ! IOTHUB_CONNECTION_STRING="HostName=localhost:$hub_port;DeviceId=d1;SharedAccessKey=$hub_key" timeout 8 "$work/device" esp_at_tls 1 \
        node tests/modem/modem.js esp_at --ca "$work/other.pem" >"$work/distrust.log" 2>&1
    hub_stop
    ! grep -q '^connack' "$hub_log" && grep -q '^modem: .*certificate' "$work/distrust.log"
}
mkdir -p "$work/distrust"
result "modem: a modem that does not trust the hub does not connect" distrust
echo done
