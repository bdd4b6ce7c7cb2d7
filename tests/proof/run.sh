#!/usr/bin/env bash
# Proves that the most exposed rooms have no run-time error, for every input: README.md. One line a function: ok or FAIL.
# usage: run.sh BUILD-FOLDER   (from the root of the checkout)
set -u
here=tests/proof
work=$1/proof
rm -rf "$work"
mkdir -p "$work"
work=$(cd "$work" && pwd)
export HOME=$work TMPDIR=$work                   # why3 keeps its list of provers in the one, Frama-C its files in the other
export PYTHONDONTWRITEBYTECODE=1
unset CPP                                        # Frama-C takes it for a preprocessor

if timeout 60 why3 config detect >"$work/why3.log" 2>&1; then
    echo "ok    why3 knows its provers"
else
    echo "FAIL  why3 knows its provers"
    sed 's/^/      /' "$work/why3.log" | tail -5
fi
facts=$(grep -c '^(check-sat)' "$here/machine.smt2")
if [ "$(timeout 60 z3 "$here/machine.smt2" 2>&1 | tee "$work/machine.log" | sort | uniq -c | tr -d ' \n')" = "${facts}unsat" ]; then
    echo "ok    the axioms about machine numbers: $facts"
else
    echo "FAIL  the axioms about machine numbers"
    sed 's/^/      /' "$work/machine.log"
fi
timeout 3000 python3 "$here/prove.py" "$work" 2>&1 || echo "FAIL  prove.py"
echo done
