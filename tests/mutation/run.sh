#!/usr/bin/env bash
# The mutation tests of CI: prints lines "ok ..." and "FAIL ...", and "done" at its end.
# usage: run.sh BUILD-FOLDER [SHARE]   (from the root of the checkout; SHARE N: a fixed N-th of the mutants; 1, all of them, without)
set -u
exec python3 tests/mutation/mutate.py "$1/mutation" --share "${2:-1}" --trust --workers 2
