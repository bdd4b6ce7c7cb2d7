#!/usr/bin/env bash
# lwIP in one host process, in virtual time, under ASan and UBSan: the port alone; then client and model hub over lwIP's real TCP.
# One line a test: ok or FAIL.
# usage: run.sh BUILD-FOLDER [ARGUMENT...]   (from the root of the checkout; arguments go to lwip_test instead of all tests;
#        LWIP_SEEDS: random lives, 300)
set -u
work=$1/lwip
shift
. tools/common.sh
need gcc gcc
need g++ g++
need libc6-dev /usr/include/stdio.h
need xz-utils xz
install_missing >&2
mkdir -p "$work/objects"
sources=$work/../sources
tools/get_sources.sh "$sources" >&2 || { echo "FAIL  the sources of lwIP cannot be had"; echo done; exit 1; }

here=tests/lwip
sanitize="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
include="-I. -I$here -Itests/sim -isystem $sources/lwip/src/include"
strict="-Wall -Wextra -Werror"

# compile NAME COMMAND...: an object, unless it is newer than all that can change it.
compile() {
    local object=$work/objects/$1.o source=$2
    shift 2
    objects+=("$object")
    [ "$object" -nt "$source" ] && [ "$object" -nt "$newest" ] && return
    "$@" $sanitize $include -c "$source" -o "$object" >"$work/log" 2>&1 && return
    echo "FAIL  $source does not compile"
    sed 's/^/      /' "$work/log" | head -20
    echo done
    exit 1
}

objects=()
newest=$(ls -t iothub_client.h ports/lwip/*.h tests/sim/*.h $here/*.h $here/arch/*.h $here/run.sh | head -1)
for source in "$sources"/lwip/src/core/*.c "$sources"/lwip/src/core/ipv4/*.c "$sources"/lwip/src/core/ipv6/*.c; do
    compile "lwip_$(basename "$source" .c)" "$source" gcc -std=gnu99
done
for source in tests/sim/*.c; do                  # all of the simulation but its stream and its command line
    case $source in */stream.c | */main.c) continue ;; esac
    compile "sim_$(basename "$source" .c)" "$source" gcc -std=gnu99 $strict
done
for source in $here/*.c; do
    compile "$(basename "$source" .c)" "$source" gcc -std=gnu99 $strict
done
gcc $sanitize "${objects[@]}" -o "$work/lwip_test" >"$work/log" 2>&1 \
    || { echo "FAIL  the tests over lwIP do not link"; sed 's/^/      /' "$work/log" | head -20; echo done; exit 1; }

if [ $# -ne 0 ]; then
    "$work/lwip_test" "$@"
    exit
fi

# The port compiles in every language and setting that it may meet. (Under an operating system it is compiled, not run.)
printf '#define IOTHUB_IMPLEMENTATION\n#include "iothub_client.h"\n#include "ports/lwip/iothub_lwip.h"\n' >"$work/port.c"
for language in "gcc -std=c89" "gcc -std=c99" "g++ -std=c++98" "g++ -std=c++17"; do
    for setting in "" "-DLWIP_DNS=0" "-DLWIP_IPV6=0" "-DLWIP_IPV4=0" "-DNO_SYS=0"; do
        case $language in g++*) kind=c++ ;; *) kind=c ;; esac
        if $language -pedantic $strict -Wconversion -Wshadow -Wundef $setting $include -x $kind -c "$work/port.c" -o "$work/compile.o" >"$work/log" 2>&1; then
            echo "ok    the port as $language${setting:+, $setting}"
        else
            echo "FAIL  the port as $language${setting:+, $setting}"
            sed 's/^/      /' "$work/log" | head -10
        fi
    done
done

# whole ARGUMENTS...: its lines; a program that does not come to its end has failed.
whole() {
    timeout 170 "$work/lwip_test" "$@" 2>&1
    local code=$?
    [ $code -le 1 ] || echo "FAIL  lwip_test $*: code $code"
}

whole --port
whole --cases
whole --seeds "${LWIP_SEEDS:-300}" | tee "$work/seeds.log"
again=$("$work/lwip_test" --seeds 40 2>&1 | tail -1)
if [ "$again" = "$("$work/lwip_test" --seeds 40 2>&1 | tail -1)" ]; then
    echo "ok    the same seeds give the same trace in another process"
else
    echo "FAIL  the same seeds give another trace in another process"
fi
echo done
