#!/usr/bin/env bash
# Builds the firmware, measures it, and runs it on emulated boards against the local IoT Hub. One line a check: ok or FAIL.
# What both sides said stands in BUILD-FOLDER/firmware/BOARD.transcript.txt, and on standard output behind the checks.
# usage: run.sh BUILD-FOLDER [BOARD...]      boards: lm3s6965evb mps2-an385 (default: both)
set -u
[ $# -ge 1 ] || { echo "usage: run.sh BUILD-FOLDER [BOARD...]" >&2; exit 2; }
work=$(mkdir -p "$1" && cd "$1" && pwd)/firmware
shift
boards=("$@")
[ ${#boards[@]} -gt 0 ] || boards=(lm3s6965evb mps2-an385)
. "$(dirname "$0")/../../tools/common.sh"
mkdir -p "$work"

need gcc-arm-none-eabi arm-none-eabi-gcc
need libnewlib-arm-none-eabi /usr/lib/arm-none-eabi/newlib/libc_nano.a
need qemu-system-arm qemu-system-arm
need make make
need xz-utils xz
need python3 /usr/bin/python3
need nodejs node
need npm npm
need openssl openssl
need gcc gcc
need libc6-dev /usr/include/stdio.h
need libbearssl-dev /usr/include/bearssl.h
install_missing
npm_install tools/emulator

# step WHAT COMMAND...: something that all checks need
step() {
    local what=$1
    shift
    say "$what"
    "$@" >"$work/step.log" 2>&1 && return
    echo "FAIL  $what"
    tail -15 "$work/step.log" | sed 's/^/      /'
    echo done
    exit 1
}

step "sources of BearSSL and lwIP" bash tools/get_sources.sh "$work/sources"
step "a front that fills TLS records" gcc -std=gnu99 -O1 -Wall -Wextra -Werror -I. tests/firmware/front.c -lbearssl -o "$work/front"

for board in "${boards[@]}"; do
    case $board in
        lm3s6965evb | mps2-an385) ;;
        *) echo "FAIL  there is no board $board"; continue ;;
    esac
    image=$work/$board.elf
    step "image for $board" make -j2 -f tests/firmware/Makefile BOARD="$board" SOURCES="$work/sources" OUT="$work"
    /usr/bin/python3 -B tests/firmware/sizes.py "$board" "$image" || echo "FAIL  $board: sizes.py failed"
    rm -f "$work/$board.transcript.txt"
    timeout 240 /usr/bin/python3 -B tests/firmware/scenario.py "$board" "$image" "$work/front" "$work" || echo "FAIL  $board: scenario.py failed"
    cat "$work/$board.transcript.txt"
done

echo done
