#!/usr/bin/env bash
# The compiler matrix: installs what it needs, compiles the header with every toolchain, runs the vectors and a share of the
# simulation wherever something can run, and prints one table. Lines "ok ..." and "FAIL ..." for each check, "done" at the end.
# usage: run.sh BUILD-FOLDER [--ci] [--only TEXT,...]   (from the root of the checkout)
#     --ci         the share that CI runs; it says what it left out
#     --only TEXT,...  gcc 12, which all are compared with, and the targets whose name contains a TEXT
set -u
. tools/common.sh
matrix=tests/toolchains/matrix.py
need python3 python3
install_missing
while read -r package sign; do
    need "$package" "$sign"
done < <(/usr/bin/python3 "$matrix" "$@" --packages)
install_missing
exec /usr/bin/python3 "$matrix" "$@"
