#!/bin/sh
# Compiles the tests of the ports into OUTDIR/ports_test and, with the emulator at the other end, OUTDIR/ports_hub_test, with
# AddressSanitizer and UndefinedBehaviorSanitizer:
#     tests/ports/build.sh OUTDIR && OUTDIR/ports_test && OUTDIR/ports_hub_test '~[winsock]'
# CC and CXX choose the compilers, CATCH_MAIN_OBJECT is an object with Catch's main that exists already (it takes longest).
set -e
out=${1:?usage: build.sh OUTDIR}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$out"
cc=${CC:-cc}
cxx=${CXX:-c++}
warnings="-Wall -Wextra -Wconversion -Wshadow -Wundef -pedantic -Werror"
sanitizers="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
includes="-I$root -DIOTHUB_TEST_CERTIFICATES=\"$here/certificates.sh\" -DIOTHUB_TEST_WEBSOCKET_PEER=\"$here/websocket_peer.js\""
if [ ! -f "$root/iothub_client.h" ]; then        # the one header is generated; its public part is enough here
    mkdir -p "$out/include"
    cp "$root/core/manual.h" "$out/include/iothub_client.h"
    includes="$includes -I$out/include"
fi

# Every language and setting that the headers promise.
for flags in "-std=c99 -D_POSIX_C_SOURCE=200809L" "-std=gnu99 -DIOTHUB_BEARSSL_NO_PEM" \
             "-std=gnu99 -DIOTHUB_BEARSSL_NO_CLIENT_CERTIFICATE -DIOTHUB_BEARSSL_NO_CBC" \
             "-std=gnu99 -DIOTHUB_POSIX_BLOCKING_LOOKUP"; do
    $cc $flags $warnings $includes -c "$here/implementation.c" -o "$out/language.o"
done
$cxx -x c++ -std=c++11 $warnings $includes -c "$here/implementation.c" -o "$out/language.o"
printf '#include "iothub_client.h"\n#define IOTHUB_IMPLEMENTATION\n#include "ports/posix/iothub_posix.h"\n' > "$out/c89.c"
$cc -std=c89 -D_POSIX_C_SOURCE=200809L $warnings $includes -c "$out/c89.c" -o "$out/language.o"
$cc -std=c99 $warnings $includes -c "$here/implementation_tls.c" -o "$out/language.o"
$cxx -x c++ -std=c++11 $warnings $includes -c "$here/implementation_tls.c" -o "$out/language.o"
$cc -std=c89 $warnings $includes -c "$here/conformance.c" -o "$out/language.o"
$cxx -x c++ -std=c++98 $warnings $includes -c "$here/conformance.c" -o "$out/language.o"

$cc -std=gnu99 $warnings $sanitizers $includes -DIOTHUB_POSIX_LOOKUP_SECONDS=5 -c "$here/implementation.c" \
    -o "$out/implementation.o"
$cc -std=gnu99 $warnings $sanitizers $includes -c "$here/implementation_tls.c" -o "$out/implementation_tls.o"
$cc -std=c99 $warnings $sanitizers $includes -c "$here/conformance.c" -o "$out/conformance.o"
objects="$out/implementation.o $out/implementation_tls.o $out/conformance.o"
for name in support conformance_tls test_posix test_bearssl test_filters test_conformance test_tls; do
    $cxx -std=c++11 $warnings $sanitizers $includes -c "$here/$name.cpp" -o "$out/$name.o"
    objects="$objects $out/$name.o"
done
main=${CATCH_MAIN_OBJECT:-$out/catch_main.o}
if [ ! -f "$main" ]; then
    printf '#define CATCH_CONFIG_MAIN\n#include <catch2/catch.hpp>\n' > "$out/catch_main.cpp"
    $cxx -std=c++11 -c "$out/catch_main.cpp" -o "$main"
fi
libraries="-lmbedtls -lmbedx509 -lmbedcrypto -lssl -lcrypto"
$cxx $sanitizers $objects "$main" -lbearssl $libraries -o "$out/ports_test"

# The whole client, against the emulator (needs the one header).
[ -f "$root/iothub_client.h" ] || exit 0
wine="-DIOTHUB_TEST_WINE=\"$out/winsock_device.exe\" -DIOTHUB_TEST_WINE_PREFIX=\"$out/wine\""
$cc -std=gnu99 -Wall -Wextra -Werror $sanitizers $includes -c "$here/implementation_hub.c" -o "$out/implementation_hub.o"
$cxx -std=c++11 -Wall -Wextra -Werror $sanitizers $includes $wine -c "$here/test_hub.cpp" -o "$out/test_hub.o"
$cxx $sanitizers "$out/implementation_hub.o" "$out/test_hub.o" "$main" $libraries -o "$out/ports_hub_test"
