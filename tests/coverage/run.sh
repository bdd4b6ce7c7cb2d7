#!/usr/bin/env bash
# Branches and conditions (MC/DC) of core/ and transports/ that the unit tests, the vectors and a fixed share of the simulation
# reach, by clang-19. One line a check: ok or FAIL; the table of the rooms before them. README.md has what is excused, and why.
# usage: run.sh BUILD-FOLDER   (from the root of the checkout; COVERAGE_JOBS=N compilers at a time, COVERAGE_SEEDS=N lives)
set -u
here=tests/coverage
work=$1/coverage
rm -rf "$work"
mkdir -p "$work/objects" "$work/log"
seeds=${COVERAGE_SEEDS:-500}
instrument="-fprofile-instr-generate -fcoverage-mapping -fcoverage-mcdc -g0 -O1 -w -I."

# The build, as one list of jobs "NAME COMMAND". Only what includes the product is instrumented.
{
    echo "catch_main clang++-19 -std=c++11 -O0 -c tests/unit/catch_main.cpp -o $work/objects/catch_main.o"
    for source in tests/unit/*_test.cpp; do
        name=$(basename "$source" .cpp)
        echo "$name clang++-19 -std=c++11 $instrument -c $source -o $work/objects/unit_$name.o"
    done
    for source in tests/vectors/*.c; do
        name=$(basename "$source" .c)
        [ "$name" = main ] || echo "vectors_$name clang-19 -std=c89 $instrument -Itests/vectors $source tests/vectors/main.c -o $work/vectors_$name"
    done
    for source in tests/sim/*.c; do
        name=$(basename "$source" .c)
        flags="-O2 -w -I."
        [ "$name" != device ] || flags=$instrument
        echo "sim_$name clang-19 -std=gnu99 $flags -Itests/sim -c $source -o $work/objects/sim_$name.o"
    done
} >"$work/jobs"
xargs -a "$work/jobs" -P "${COVERAGE_JOBS:-2}" -L 1 sh -c 'name=$0; timeout 300 "$@" >"'"$work"'/log/build_$name" 2>&1 || mv "'"$work"'/log/build_$name" "'"$work"'/log/failed_$name"'

# link PROGRAM COMMAND...
link() {
    local name=$1
    shift
    timeout 300 "$@" >"$work/log/link_$name" 2>&1 || mv "$work/log/link_$name" "$work/log/failed_link_$name"
}
link unit clang++-19 -fprofile-instr-generate "$work"/objects/unit_*.o "$work/objects/catch_main.o" -lbearssl -o "$work/unit"
link sim clang-19 -fprofile-instr-generate "$work"/objects/sim_*.o -o "$work/sim"
if ls "$work"/log/failed_* >/dev/null 2>&1; then
    for log in "$work"/log/failed_*; do
        echo "FAIL  coverage: ${log##*/failed_} does not build"
        head -12 "$log" | sed 's/^/      /'
    done
    echo done
    exit 1
fi

# judge NAME PROGRAM...: runs it; what it reached goes to NAME.json.
judge() {
    local name=$1
    shift
    if LLVM_PROFILE_FILE=$work/$name.%p.raw timeout 600 "$@" >>"$work/log/run_$name" 2>&1 </dev/null; then
        return
    fi
    echo "FAIL  coverage: $name fails"
    tail -12 "$work/log/run_$name" | sed 's/^/      /'
}
judge unit "$work/unit" &
unit=$!
judge sim "$work/sim" --cases
judge sim "$work/sim" --seeds "$seeds" --no-table
for program in "$work"/vectors_*; do
    judge "${program##*/}" "$program"
done
wait $unit
for program in "$work/unit" "$work/sim" "$work"/vectors_*; do
    [ -x "$program" ] || continue
    llvm-profdata-19 merge -sparse "$program".*.raw -o "$program.profdata" \
        && llvm-cov-19 export -instr-profile="$program.profdata" "$program" >"$program.json" || echo "FAIL  coverage: no export of ${program##*/}"
    rm -f "$program".*.raw
done
python3 -B "$here/report.py" "$here/README.md" "$work"/*.json
echo done
