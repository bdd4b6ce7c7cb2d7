#!/usr/bin/env bash
# The Arduino package, its sketches, ports/arduino and ports/esp_idf. Prints flash, RAM and stack of the AVR sketches.
#   AVR: built by Arduino's own builder with Debian's core, run in simavr with a modem process at the serial port, seen at both ends.
#   ESP8266, ESP32, ESP-IDF: compiled against declarations that this test owns (core/), never with the real cores; and run over them.
# usage: run.sh BUILD-FOLDER   (from the root of the checkout)
set -u
[ $# -eq 1 ] || { echo "usage: run.sh BUILD-FOLDER" >&2; exit 2; }
case $1 in /*) build=$1 ;; *) build=$PWD/$1 ;; esac
. "$(dirname "$0")/../../tools/common.sh"
work=$build/arduino
rm -rf "$work"
mkdir -p "$work"

need gcc gcc
need g++ g++
need libc6-dev /usr/include/stdio.h
need libbearssl-dev /usr/include/bearssl.h
need libssl-dev /usr/include/openssl/ssl.h
need gcc-avr avr-gcc
need avr-libc /usr/lib/avr/include/avr/io.h
need arduino-core-avr /usr/share/arduino/hardware/arduino/avr/platform.txt
need arduino-builder arduino-builder
need arduino-ctags arduino-ctags
need libsimavr-dev /usr/include/simavr/sim_avr.h
need nodejs node
need npm npm
need openssl openssl
install_missing
npm_install tools/emulator
. tests/arduino/hub.sh

warnings="-Wall -Wextra -Werror"
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
        return 1
    fi
}

# ---- The package, as an IDE would install it: what is at the root of the checkout and belongs to a library

libraries=$work/libraries
mkdir -p "$libraries/iothub_client"
for each in iothub_client.h ports examples library.properties keywords.txt LICENSE README.md; do
    ln -s "$ROOT/$each" "$libraries/iothub_client/$each"
done
result "package: library.properties and the folders of the sketches" /usr/bin/python3 tests/arduino/package.py

# ---- AVR

# BearSSL's HMAC for boards without one, as an Arduino library of four files.
bearssl_library() {
    local from=$build/sources/bearssl to=$libraries/BearSSL/src
    bash tools/get_sources.sh "$build/sources" || return 1
    mkdir -p "$to"
    cp "$from"/inc/*.h "$from/src/inner.h" "$from/src/config.h" "$from/src/hash/sha2small.c" "$from/src/mac/hmac.c" "$from/src/codec/dec32be.c" \
        "$from/src/codec/enc32be.c" "$to/" || return 1
    printf '%s\n' name=BearSSL version=0.6 author= maintainer= 'sentence=HMAC of BearSSL' paragraph= category=Other url= 'architectures=*' \
        >"$libraries/BearSSL/library.properties"
}

# sketch NAME BOARD CREDENTIAL [FLAGS]: examples/arduino_modem for this board, into $work/NAME; no warning of ours. DECIMAL_DIG: Debian's
# core wants a macro that avr-gcc 5.4 has under another name only.
sketch() {
    local to=$work/$1
    mkdir -p "$to/arduino_modem" "$to/build"
    cp examples/arduino_modem/arduino_modem.ino "$to/arduino_modem/"
    cat >"$to/arduino_modem/arduino_secrets.h" <<SECRETS
#define SECRET_NETWORK "lab"
#define SECRET_PASSWORD "secret"
#define SECRET_BAUD 115200
#define SECRET_CONNECTION_STRING "HostName=localhost:$hub_port;DeviceId=d1;$3"
SECRETS
    arduino-builder -compile -hardware /usr/share/arduino/hardware -hardware /usr/share/arduino-builder -tools /usr/bin -libraries "$libraries" \
        -fqbn "arduino:avr:$2" -build-path "$to/build" -warnings all "-prefs=compiler.cpp.extra_flags=-DDECIMAL_DIG=__DECIMAL_DIG__ ${4:-}" \
        "$to/arduino_modem/arduino_modem.ino" >"$to/log" 2>&1 || { cat "$to/log"; return 1; }
    ! grep -E '(arduino_modem|iothub)[^ ]*: warning' "$to/log"
}

# A SAS token for an hour, by the openssl program.
token() {
    local resource=localhost%2Fdevices%2Fd1 expiry signature
    expiry=$(($(date +%s) + 3600))
    signature=$(printf '%s\n%s' "$resource" "$expiry" \
        | openssl dgst -sha256 -mac HMAC -macopt hexkey:"$(echo "$hub_key" | base64 -d | od -An -tx1 | tr -d ' \n')" -binary | base64)
    printf 'SharedAccessSignature=SharedAccessSignature sr=%s&sig=%s&se=%s' "$resource" "$(echo "$signature" | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g')" "$expiry"
}

# avr NAME TEXT BOARD CPU MODEM-PORT LOG-PORT CREDENTIAL FLAGS: builds it, runs it for some seconds, looks at both ends.
avr() {
    local name=$1 text=$2 to=$work/$1
    mkdir -p "$to"
    hub_start "$to" || { echo "FAIL  $text: the hub did not start"; return; }
    [ "$7" = token ] && set -- "$1" "$2" "$3" "$4" "$5" "$6" "$(token)" "$8"
    if result "$text: builds without warnings" sketch "$name" "$3" "$7" "$8"; then
        timeout 60 "$work/board" 12 "$4" "$to/build/arduino_modem.ino.elf" "$5" "$6" node tests/modem/modem.js esp_at --ca "$hub_ca" >"$to/serial.log" 2>"$to/modem.log"
        result "$text: the modem verified the hub's certificate" grep -q 'TLS to localhost:.* verified' "$to/modem.log"
        [ "$6" = - ] || result "$text: says that five messages are confirmed" test "$(grep -c '^confirmed' "$to/serial.log")" -ge 5
        result "$text: the hub has five messages, in order" hub_telemetry 5
        result "$text: the modem read every byte that the board sent, it did not crash" grep -q 'board: stopped .* 0 bytes lost' "$to/modem.log"
        figures+="$(printf '%-34s %s  %s  %s' "$text" "$(sed -n 's/^Sketch uses \([0-9]*\).*Maximum is \([0-9]*\).*/\1 of \2/p' "$to/log")" \
            "$(sed -n 's/^Global variables use \([0-9]*\).*Maximum is \([0-9]*\).*/\1 of \2/p' "$to/log")" \
            "$(sed -n 's/.*stack \([0-9]*\) bytes deep.*/\1/p' "$to/modem.log")")"$'\n'
    fi
    result "$text: no rule was broken" hub_stop
}

figures=
result "the simulated board builds" gcc -std=gnu99 -O2 -Wall -Wextra tests/arduino/board.c -lsimavr -o "$work/board"
avr mega "Mega, SAS token" mega:cpu=atmega2560 atmega2560 1 0 token ""
avr uno "Uno, SAS token" uno atmega328p 0 - token ""
if result "BearSSL's HMAC from its sources" bearssl_library; then
    avr key "Mega, key, HMAC by BearSSL" mega:cpu=atmega2560 atmega2560 1 0 "SharedAccessKey=$hub_key" -DIOTHUB_ARDUINO_BEARSSL
fi

# ---- ESP8266, ESP32, ESP-IDF: over core/, with the emulator

core=tests/arduino/core
printf '#include <Arduino.h>\n#include "%s"\n' "$ROOT/examples/arduino_esp8266/arduino_esp8266.ino" >"$work/esp8266.cpp"
printf '#include <Arduino.h>\n#include "%s"\n' "$ROOT/examples/arduino_esp32/arduino_esp32.ino" >"$work/esp32.cpp"

# compiled BOARD: the sketch as it stands, in the languages of the cores, with the example's own secrets.
compiled() {
    local standard
    for standard in gnu++11 gnu++17 gnu++2b; do
        g++ -std=$standard $warnings -DARDUINO_ARCH_${1^^} -I$core -I$core/$1 -I$core/esp_idf -I. -c "$work/$1.cpp" -o "$work/$1.o" || return 1
    done
}

# The hub's CA as the sketches want it: BearSSL anchors for the one, text for the other.
secrets() {
    mkdir -p "$work/$1"
    {
        printf '#define SECRET_NETWORK "lab"\n#define SECRET_PASSWORD "secret"\n'
        printf '#define SECRET_CONNECTION_STRING "HostName=localhost:%s;DeviceId=d1;SharedAccessKey=%s"\n' "$hub_port" "$hub_key"
        if [ "$1" = esp8266 ]; then
            /usr/bin/python3 tests/arduino/anchor.py "$hub_ca"
        else
            printf '#define SECRET_ROOTS \\\n'
            sed 's/.*/    "&\\n" \\/' "$hub_ca"
            echo '    ""'
        fi
    } >"$work/$1/arduino_secrets.h"
    cp "examples/arduino_$1/arduino_$1.ino" "$work/$1/"
    printf '#include <Arduino.h>\n#include "arduino_%s.ino"\n' "$1" >"$work/$1/sketch.cpp"
}
runs() {
    secrets "$1" || return 1
    gcc -std=gnu99 $warnings $sanitizers -I$core -I$core/esp_idf -c $core/host.c -o "$work/$1/host.o" \
        && g++ -std=c++11 $warnings $sanitizers -DARDUINO_ARCH_${1^^} -I$core -I$core/$1 -c $core/core.cpp -o "$work/$1/core.o" \
        && g++ -std=gnu++17 $warnings $sanitizers -DARDUINO_ARCH_${1^^} -I$core -I$core/$1 -I$core/esp_idf -I. "$work/$1/sketch.cpp" \
            "$work/$1/core.o" "$work/$1/host.o" -lbearssl -lssl -lcrypto -o "$work/$1/sketch" || return 1
    timeout 30 "$work/$1/sketch" 7 | tee "$work/$1/serial.log" &
    local running=$!
    sleep 3
    if [ "$1" = esp8266 ]; then
        node tools/emulator/main.js c2d send --port "$hub_port" d1 "open the door"
    else
        node tools/emulator/main.js twin set --port "$hub_port" d1 '{"period":1}'
    fi
    wait $running
}
esp() {
    result "$2: compiles against declarations of this test (no real core was ever used)" compiled "$1"
    mkdir -p "$work/$1"
    hub_start "$work/$1" || { echo "FAIL  $2: the hub did not start"; return; }
    result "$2: runs over them" runs "$1"
    result "$2: its messages are confirmed" test "$(grep -c '^confirmed' "$work/$1/serial.log")" -ge 3
    result "$2: the hub has them" hub_telemetry 3
    result "$2: ${3%%:*} arrives" grep -q "^$3" "$work/$1/serial.log"
    result "$2: no rule was broken" hub_stop
}
esp esp8266 "ESP8266 sketch" "message: open the door"
esp esp32 "ESP32 sketch" "period: 1"

idf_program() {
    gcc -std=c99 -D_GNU_SOURCE -Wconversion -Wshadow -Wundef -pedantic $warnings $sanitizers -I$core/esp_idf -I. -c tests/arduino/esp_idf_main.c \
        -o "$work/idf.o" \
        && g++ -std=c++11 -D_GNU_SOURCE -Wconversion -Wshadow $warnings -I$core/esp_idf -I. -x c++ -c tests/arduino/esp_idf_main.c -o "$work/idf_cxx.o" \
        && gcc -std=gnu99 $warnings $sanitizers -I$core -I$core/esp_idf "$work/idf.o" -x c $core/host.c -lssl -lcrypto -o "$work/idf"
}
idf() { IOTHUB_CONNECTION_STRING="HostName=$1:$2;DeviceId=d1;SharedAccessKey=$hub_key" timeout 30 "$work/idf"; }
if result "esp_idf: compiles as C99 and C++11 against declarations of this test (no real ESP-IDF was ever used)" idf_program; then
    mkdir -p "$work/idf_hub"
    hub_start "$work/idf_hub"
    export IOTHUB_TRUSTED_CERTS
    IOTHUB_TRUSTED_CERTS=$(cat "$hub_ca")
    result "esp_idf: three messages are confirmed over them" idf localhost "$hub_port"
    result "esp_idf: the hub has them" hub_telemetry 3
    layer() { idf "$1" "$2" | grep "^0 confirmed, layer $3\$"; }
    result "esp_idf: a host of another name is TLS_NAME" layer 127.1 "$hub_port" 10
    result "esp_idf: a closed port is TCP" layer localhost 1 6
    result "esp_idf: an unknown name is DNS" layer no-such-host.invalid "$hub_port" 5
    unset IOTHUB_TRUSTED_CERTS
    result "esp_idf: an unknown root is TLS_TRUST" layer localhost "$hub_port" 9
    result "esp_idf: no rule was broken" hub_stop
fi

# ---- The ports alone

esp32="-DARDUINO_ARCH_ESP32 -I$core -I$core/esp32 -I$core/esp_idf -I."
ports_program() {
    gcc -std=gnu99 $sanitizers -I$core -I$core/esp_idf -c $core/host.c -o "$work/host.o" \
        && gcc -std=c99 $sanitizers -I. -c tests/ports/conformance.c -o "$work/conformance.o" \
        && g++ -std=c++11 $warnings $sanitizers -DTEST_WITHOUT_SKETCH $esp32 -c $core/core.cpp -o "$work/core.o" \
        && g++ -std=c++11 $warnings $sanitizers $esp32 -Itests/arduino tests/arduino/ports_test.cpp "$work/host.o" "$work/core.o" "$work/conformance.o" \
            -lssl -lcrypto -o "$work/ports_test"
}
if result "the test of the ports builds" ports_program; then
    timeout 120 "$work/ports_test"
    code=$?
    [ $code -le 1 ] || echo "FAIL  ports_test ended with code $code"
fi

printf '\n%-34s %s\n%s\n' "sketch arduino_modem" "flash, RAM, deepest stack in bytes" "$figures"
echo done
