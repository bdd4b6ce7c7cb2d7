#!/usr/bin/env bash
# Compiles the header in every way that its manual promises, and looks at what leaves it. One line a check: ok or FAIL.
# usage: header.sh BUILD-FOLDER   (from the root of the checkout)
set -u
work=$1/header
rm -rf "$work"
mkdir -p "$work"
root=$PWD
strict="-Wall -Wextra -Wconversion -Wshadow -Wundef -pedantic -Werror -I$root"

check() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        sed 's/^/      /' "$work/log" | head -15
    fi
}
refuse() {
    local name=$1 text=$2
    shift 2
    if ! "$@" >"$work/log" 2>&1 && grep -q "$text" "$work/log"; then echo "ok    $name"; else echo "FAIL  $name"; fi
}

printf '#define IOTHUB_IMPLEMENTATION\n#include "iothub_client.h"\n' >"$work/one.c"
cp "$work/one.c" "$work/one.cc"
printf '#include "iothub_client.h"\n#define IOTHUB_IMPLEMENTATION\n#include "iothub_client.h"\n#include "iothub_client.h"\n' >"$work/twice.c"

# Languages.
for standard in c89 c99 c11 c2x gnu89 gnu99 gnu17; do
    check "gcc -std=$standard" gcc -std=$standard $strict -Os -c "$work/one.c" -o "$work/one_$standard.o"
done
for standard in c++98 c++11 c++17 c++20; do
    check "g++ -std=$standard" g++ -std=$standard -pedantic -Wall -Wextra -Werror -I"$root" -c "$work/one.cc" -o "$work/one_$standard.o"
done
check "g++ -std=c++98 with -Wconversion" g++ -std=c++98 $strict -c "$work/one.cc" -o "$work/one_conversion.o"
if command -v clang >/dev/null; then
    for standard in c89 c99 c17; do
        check "clang -std=$standard" clang -std=$standard $strict -c "$work/one.c" -o "$work/clang_$standard.o"
    done
    check "clang++ -std=c++98" clang++ -std=c++98 $strict -c "$work/one.cc" -o "$work/clang_cpp.o"
fi
check "gcc -funsigned-char" gcc -std=c89 -funsigned-char $strict -c "$work/one.c" -o "$work/unsigned.o"
check "a first include without the macro hides nothing" gcc -std=c89 $strict -c "$work/twice.c" -o "$work/twice.o"
check "declarations only" gcc -std=c89 $strict -fsyntax-only -x c iothub_client.h

# Settings.
check "IOTHUB_STATIC as C++" g++ -std=c++98 $strict -DIOTHUB_STATIC -c "$work/one.cc" -o "$work/static_cpp.o"

# Switches: each alone, none of them (above), all of what leaves code out, all of what there is, and with all functions static;
# in the oldest and the newest languages, by both compilers. One line a switch: its findings name the compiler.
compilers="gcc:c89 gcc:c99 gcc:c11 g++:c++98 g++:c++11 g++:c++20"
! command -v clang >/dev/null || compilers="$compilers clang:c89 clang:c17 clang++:c++98 clang++:c++20"
compile() {
    local compiler source how failed=0
    for compiler in $compilers; do
        source=$work/one.c
        how=-fsyntax-only                        # the oldest ones compile to the end, for the sake of time
        case $compiler in *++*) source=$work/one.cc ;; esac
        case $compiler in gcc:c89 | *:c++98) how="-c -o $work/switch.o" ;; esac
        ${compiler%%:*} "-std=${compiler#*:}" $strict "$@" $how "$source" >"$work/compile.log" 2>&1 && continue
        echo "$compiler $*:"
        head -12 "$work/compile.log"
        failed=1
    done
    return $failed
}
leaving="-DIOTHUB_NO_C2D -DIOTHUB_NO_TWIN -DIOTHUB_NO_METHODS -DIOTHUB_NO_PROPERTIES -DIOTHUB_NO_MODULE -DIOTHUB_NO_OPTIONS -DIOTHUB_NO_STATISTICS"
for switch in $leaving -DIOTHUB_WEBSOCKET -DIOTHUB_STATIC -DIOTHUB_NO_TIME_H -DIOTHUB_NO_STDINT_H -DIOTHUB_NO_STDBOOL_H; do
    check "${switch#-D}, in C and C++" compile "$switch"
done
check "no feature at all" compile $leaving
check "no feature at all, all functions static" compile $leaving -DIOTHUB_STATIC
check "no feature at all but WebSocket" compile $leaving -DIOTHUB_WEBSOCKET
check "everything, all functions static" compile -DIOTHUB_WEBSOCKET -DIOTHUB_STATIC
check "everything, without any header that may be missing" compile -DIOTHUB_WEBSOCKET -DIOTHUB_NO_TIME_H -DIOTHUB_NO_STDINT_H -DIOTHUB_NO_STDBOOL_H
gcc -std=c89 $strict -DIOTHUB_STATIC -c "$work/one.c" -o "$work/static.o" 2>/dev/null

check "no pools" gcc -std=c89 $strict -DIOTHUB_POOL_CLIENTS=0 -DIOTHUB_POOL_MESSAGES=0 -c "$work/one.c" -o "$work/pools.o"
check "a log and locks" gcc -std=c89 $strict "-DIOTHUB_LOG(level,code,text)=((void)(level),(void)(code),(void)(text))" "-DIOTHUB_LOCK()=(void)0" "-DIOTHUB_UNLOCK()=(void)0" -c "$work/one.c" -o "$work/log.o"
refuse "azure-iot-sdk-c's header of the same name is refused" "replaces it" gcc -DIOTHUB_CLIENT_H -I"$root" -fsyntax-only "$work/one.c"

# Unjoined: each room includes what it uses.
for room in core/*.h transports/*/*.h; do
    printf '#define IOTHUB_IMPLEMENTATION\n#include "%s"\n' "$room" >"$work/room.c"
    check "unjoined $room" gcc -std=c89 $strict -DIOTHUB_WEBSOCKET -c "$work/room.c" -o "$work/room.o"
done

# Several translation units, two languages, one implementation.
printf '#include "iothub_client.h"\nint main(void) { return IoTHub_Init() + (IoTHubClient_GetVersionString() == 0) + (MQTT_Protocol() == 0); }\n' >"$work/main.c"
printf '#include "iothub_client.h"\nextern "C" const char *other(void);\nconst char *other(void) { return MU_ENUM_TO_STRING(IOTHUB_CLIENT_RESULT, IOTHUB_CLIENT_OK); }\n' >"$work/other.cc"
check "three units in two languages link" sh -c "gcc -std=c99 -I$root -c $work/main.c -o $work/main.o && g++ -I$root -c $work/other.cc -o $work/other.o && g++ $work/main.o $work/other.o $work/one_c89.o -o $work/program && $work/program"

# What leaves the header.
gcc -std=c89 $strict -Os -DIOTHUB_WEBSOCKET -c "$work/one.c" -o "$work/websocket.o" 2>/dev/null
gcc -std=c89 $strict -Os $leaving -c "$work/one.c" -o "$work/without.o" 2>/dev/null
for object in one_c89:everything websocket:WebSocket without:"no feature"; do
    name=${object#*:}
    object=$work/${object%%:*}.o
    undefined=$(nm -u "$object" | awk '{print $2}' | grep -vxE 'mem(cpy|move|set|cmp)|strlen|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail')
    check "$name: needs nothing but mem* and strlen ($undefined)" test -z "$undefined"
    foreign=$(nm -g --defined-only "$object" | awk '{print $3}' | grep -vE '^(IoTHub|IOTHUB|MU_IOTHUB|MU_DEVICE_TWIN|Map_|MQTT_Protocol$|MQTT_WebSocket_Protocol$)')
    check "$name: no global symbol outside the public names ($foreign)" test -z "$foreign"
done
nm -g --defined-only "$work/one_c89.o" | awk '{print $3}' | sort >"$work/one.names"
nm -g --defined-only "$work/without.o" | awk '{print $3}' | sort >"$work/without.names"
gone=$(comm -23 "$work/one.names" "$work/without.names" | grep -v '^IoTHubClient_\(Properties\|Deserialize_Properties\)' | tr '\n' ' ')
check "no feature: every function is there but for those of properties ($gone)" test -s "$work/without.names" -a -z "$gone"
static_globals=$(nm -g --defined-only "$work/static.o" | awk '{print $3}')
check "IOTHUB_STATIC leaves no global symbol ($static_globals)" test -z "$static_globals" -a -s "$work/static.o"
printf '#include <stddef.h>\n#include <stdint.h>\n#include <stdbool.h>\n#include <string.h>\n#include <time.h>\n' >"$work/system.c"
gcc -std=c99 -dM -E "$work/system.c" | awk '{print $2}' | sed 's/(.*//' | sort -u >"$work/system.macros"
for switches in "" -DIOTHUB_WEBSOCKET "$leaving"; do
    gcc -std=c99 -dM -E $switches -I"$root" "$work/one.c" | awk '{print $2}' | sed 's/(.*//' | sort -u >"$work/our.macros"
    leaked=$(comm -13 "$work/system.macros" "$work/our.macros" | grep -vE '^(IOTHUB_|IOTHUBI_|IoTHub|OPTION_|SU_OPTION_|MU_ENUM_TO_STRING$|MU_ENUM_VALUE$|PRI_MU_ENUM$)')
    check "no macro outside the public names${switches:+ with }$switches ($leaked)" test -z "$leaked"
done
stray=$(gcc -std=c99 -dM -E -I"$root" -x c iothub_client.h | awk '{print $2}' | grep '^IOTHUBI_')
check "the declarations define no private macro ($stray)" test -z "$stray"

echo done
