#!/usr/bin/env bash
# The Winsock port: builds OUTDIR/winsock_test.exe and OUTDIR/winsock_device.exe by mingw, BearSSL from its source among it, and runs
# the first under wine. One line a check, "ok" or "FAIL", and "done". OUTDIR/ports_hub_test '[winsock]' then runs the second.
# usage: winsock.sh OUTDIR
set -u
[ $# -eq 1 ] || { echo "usage: winsock.sh OUTDIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.." || exit 1
cc=x86_64-w64-mingw32-gcc
flags="-O1 -Wall -Wextra -Wconversion -Wshadow -Wundef -pedantic -Werror -I. -isystem $out/sources/bearssl/inc"
log=$out/winsock.log

result() {                                       # RESULT NAME: and what the compiler said
    if [ "$1" -eq 0 ]; then
        echo "ok    $2"
    else
        echo "FAIL  $2"
        head -15 "$log" | sed 's/^/      /'
    fi
}

bash tools/get_sources.sh "$out/sources" >"$log" 2>&1
result $? "sources of BearSSL"

# Every language and setting that the header promises.
printf '#include "iothub_client.h"\n#define IOTHUB_IMPLEMENTATION\n#include "ports/winsock/iothub_winsock.h"\n' >"$out/winsock_language.c"
for language in "gcc -std=c89" "gcc -std=c99" "gcc -std=c99 -DIOTHUB_WINSOCK_BLOCKING_LOOKUP" "g++ -x c++ -std=c++11"; do
    x86_64-w64-mingw32-$language $flags -c "$out/winsock_language.c" -o "$out/winsock_language.o" >"$log" 2>&1
    result $? "iothub_winsock.h compiles by mingw $language without a warning"
done

library=$out/libbearssl_mingw.a
if [ ! -f "$library" ]; then
    mkdir -p "$out/bearssl_mingw"
    (cd "$out/bearssl_mingw" && find "$out/sources/bearssl/src" -name '*.c' |
        xargs -n 40 -P 2 $cc -O1 -I "$out/sources/bearssl/inc" -I "$out/sources/bearssl/src" -c) >"$log" 2>&1 &&
        x86_64-w64-mingw32-ar rcs "$library.new" "$out"/bearssl_mingw/*.o >>"$log" 2>&1 && mv "$library.new" "$library"
    result $? "BearSSL by mingw"
fi

here=tests/ports
$cc -std=c99 $flags -DIOTHUB_TEST_WITHOUT_TLS $here/winsock_test.c $here/conformance.c $here/winsock_implementation.c \
    -o "$out/winsock_test.exe" -lws2_32 -ladvapi32 >"$log" 2>&1
result $? "winsock_test.exe"
$cc -std=c99 $flags $here/winsock_device.c $here/winsock_implementation.c "$library" -o "$out/winsock_device.exe" -lws2_32 -ladvapi32 >"$log" 2>&1
result $? "winsock_device.exe"

export WINEDEBUG=-all WINEPREFIX=$out/wine
timeout 300 wine "$out/winsock_test.exe" >"$out/winsock_test.log" 2>&1
code=$?
tr -d '\r' <"$out/winsock_test.log" | grep -E '^(ok|FAIL|none)'
[ $code -eq 0 ] && tr -d '\r' <"$out/winsock_test.log" | grep -q '^done'
[ $? -eq 0 ] && echo "ok    winsock_test.exe came to its end" || echo "FAIL  winsock_test.exe ended with $code"
echo done
