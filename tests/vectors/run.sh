#!/usr/bin/env bash
# Builds every room's vectors as C89 for every target and runs them there: 16-bit int, both byte orders, both signs of char,
# pointers of 2, 4 and 8 bytes. One line a room and target: ok or FAIL.
# usage: run.sh BUILD-FOLDER   (from the root of the checkout; VECTORS_HEADER=FOLDER takes iothub_client.h from there)
set -u
work=$1/vectors
rm -rf "$work"
mkdir -p "$work"
here=tests/vectors
strict="-std=c89 -Wall -Wextra -Wconversion -Wshadow -Wundef -pedantic -Werror -I${VECTORS_HEADER:-.} -I$here"
declare -A checks                                # of each room, as the first target counted them

# target NAME RUNNER COMPILER...: a room passes when its program ends in time and well, when its sum says so, and when it
# counts as many checks as on the first target. (An AVR has no exit code; its sum decides.)
target() {
    local name=$1 runner=$2 source room code sum count
    shift 2
    for source in "$here"/*.c; do
        room=$(basename "$source" .c)
        [ "$room" != main ] || continue
        timeout 60 "$@" $strict "$source" "$here/main.c" -o "$work/$room.$name" >"$work/log" 2>&1 \
            && timeout 20 $runner "$work/$room.$name" >"$work/log" 2>&1 </dev/null
        code=$?
        sum=$(sed -n "s/.*$room: \([0-9]* checks, [0-9]* failed\).*/\1/p" "$work/log")
        count=${sum%% *}
        if [ $code -eq 0 ] && [ "$sum" = "$count checks, 0 failed" ] && [ "$count" -gt 0 ] && [ "${checks[$room]:=$count}" = "$count" ]; then
            echo "ok    vectors of $room on $name: $count checks"
        else
            echo "FAIL  vectors of $room on $name: ${sum:-no sum}, code $code; elsewhere ${checks[$room]:-no} checks"
            sed 's/^/      /' "$work/log" | head -15
        fi
    done
}

target native "" gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
if command -v clang >/dev/null; then
    target clang "" clang -O2 -funsigned-char
fi
target i386 "" gcc -m32 -O2
target powerpc qemu-ppc-static powerpc-linux-gnu-gcc -O2 -static
target s390x qemu-s390x-static s390x-linux-gnu-gcc -O2 -static
# 16 KB of RAM, of which the vectors leave 4 for the stack.
target avr "simavr -m atmega1284p -f 20000000" avr-gcc -mmcu=atmega1284p -Os -Wl,--defsym=__DATA_REGION_LENGTH__=12288

echo done
