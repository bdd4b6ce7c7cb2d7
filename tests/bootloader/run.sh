#!/usr/bin/env bash
# Builds examples/bootloader for a Cortex-M0+, prints what its 12 KB hold, and runs it on qemu's micro:bit behind a modem that
# test.js plays: telemetry at the emulator, over TLS that the modem does.
# usage: run.sh BUILD-FOLDER   (from the root of the checkout)
set -u
. tools/common.sh
need gcc-arm-none-eabi arm-none-eabi-gcc
need qemu-system-arm qemu-system-arm
need nodejs node
need npm npm
install_missing
npm_install tools/emulator

work=$1/bootloader
rm -rf "$work"
mkdir -p "$work"
bash tools/get_sources.sh "$1/sources" || exit 1
CONNECTION='HostName=localhost;DeviceId=thermometer-1;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='

if ! sh examples/bootloader/build.sh "$1/sources/mbedtls" "$work" "-DCONNECTION_STRING=\"$CONNECTION\"" >"$work/log" 2>&1 || [ -s "$work/log" ]; then
    echo "FAIL  examples/bootloader builds without warnings and fits"
    sed 's/^/      /' "$work/log" | head -20
    exit 1
fi
echo "ok    examples/bootloader builds without warnings and fits"
/usr/bin/python3 tests/bootloader/map.py "$work/bootloader.map" "$work/bootloader.elf"
arm-none-eabi-nm "$work/bootloader.elf" | sed -n "s/ B bss_end$//p" >"$work/bss_end"
timeout 240 node tests/bootloader/test.js "$work/bootloader.elf" "$work"
echo done
