#!/usr/bin/env bash
# How much of the code the corpora reach, room by room, as llvm-cov counts it. Needs clang and llvm.
# usage: coverage.sh BUILD-FOLDER [TARGET...]   (from the root of the checkout)
set -eu
work=$1/coverage
shift
[ $# -gt 0 ] || set -- parser connection_string json topic client features
rm -rf "$work"
mkdir -p "$work"
flags="-O0 -g -fprofile-instr-generate -fcoverage-mapping"
clang $flags -c tests/fuzz/replay.c -o "$work/replay.o"
for target in "$@"; do
    # The client's rooms go in unjoined, before the target includes the one header that joins them.
    rooms=
    case $target in client) rooms="-include core/api.h" ;; features) rooms="-include core/api_features.h" ;; esac
    clang $flags -I. -DIOTHUB_IMPLEMENTATION= $rooms "tests/fuzz/${target}_fuzz.c" "$work/replay.o" -o "$work/$target"
    printf '%s: ' "$target"
    LLVM_PROFILE_FILE=$work/$target.raw timeout 300 "$work/$target" tests/fuzz/corpus/"$target"/* 2>"$work/$target.log"
    llvm-profdata merge -sparse "$work/$target.raw" -o "$work/$target.profile"
    llvm-cov report "$work/$target" -instr-profile="$work/$target.profile" | awk '
        /\.h / && $8 > 0 { printf "    %-28s %7s of %4d lines  %7s of %4d branches\n", $1, $10, $8, $13, $11 }'
done
