#!/bin/sh
# Builds the image. usage: build.sh MBEDTLS OUTPUT-FOLDER [FLAG...], from any folder; MBEDTLS is the source of mbedTLS 2.28.
set -e
mbedtls=$1 output=$2
shift 2
here=$(dirname "$0")
compile="arm-none-eabi-gcc -mcpu=cortex-m0plus -mthumb -Os -std=gnu99 -ffreestanding -ffunction-sections -fdata-sections -g"
# These functions are what their own loops would be turned into, and are called by the compiler as late as at link time.
$compile -Wall -Wextra -fno-tree-loop-distribute-patterns -c "$here/memory.c" -o "$output/memory.o"
$compile -Wall -Wextra -flto -fipa-pta "$@" -I"$here" -I"$here/../.." -I"$mbedtls/include" -I"$mbedtls/library" '-DMBEDTLS_CONFIG_FILE="sha256_config.h"' \
    "$here/bootloader.c" "$here/board.c" "$here/modem.c" "$here/hmac.c" "$mbedtls/library/sha256.c" "$output/memory.o" \
    -nostdlib -lgcc -T "$here/bootloader.ld" -Wl,--gc-sections,-Map="$output/bootloader.map" -o "$output/bootloader.elf"
