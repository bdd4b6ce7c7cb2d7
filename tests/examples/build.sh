#!/bin/sh
# Compiles each example as C99 (into OUTDIR/NAME, with AddressSanitizer and UndefinedBehaviorSanitizer) and as C++11, warnings as errors:
#     tests/examples/build.sh OUTDIR [NAME...]
# Those for a PC, that is: the sketches are in tests/arduino, bootloader in tests/bootloader.
set -e
out=${1:?usage: build.sh OUTDIR [NAME...]}
root=$(cd "$(dirname "$0")/../.." && pwd)
shift
[ $# -gt 0 ] || set -- $(cd "$root/examples" && ls */*.c | cut -d/ -f1 | sort -u | grep -v '^bootloader$')
mkdir -p "$out"
warnings="-Wall -Wextra -Wconversion -Wshadow -Wundef -pedantic -Werror"
sanitizers="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
for name in "$@"; do
    source="$root/examples/$name/$name.c"
    ${CC:-cc} -std=gnu99 $warnings $sanitizers -I"$root" "$source" -lbearssl -o "$out/$name"
    ${CXX:-c++} -std=c++11 $warnings -I"$root" -x c++ -fsyntax-only "$source"
done
