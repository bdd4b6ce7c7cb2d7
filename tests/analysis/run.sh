#!/usr/bin/env bash
# Static analysis: gcc -fanalyzer, gcc's flow warnings, clang-tidy and cppcheck over the client and its ports. One line a
# check: ok or FAIL, with the findings below. What is excused stands in the table of README.md, with its reason.
# usage: run.sh BUILD-FOLDER   (from the root of the checkout)
set -u
here=tests/analysis
work=$1/analysis
rm -rf "$work"
mkdir -p "$work"
seconds=300                                      # that one analysis may take; all together need about 60

# The rows of the table: tool, finding, where.
sed -n 's/^| *\(gcc\|clang-tidy\|cppcheck\) *| *`\([^`]*\)` *| *\([^|]*[^| ]\) *|.*/\1\t\2\t\3/p' "$here/README.md" | tr -d '`' >"$work/deviations"

# place UNIT HEADER: what is analysed, a copy with a canary at its end: two plain mistakes. An analysis that does not see
# the canary sees nothing. The header is the main file, for clang's analyser follows no path through included functions.
place() {
    mkdir -p "$work/$1"
    cp "$2" "$work/$1/" || exit 1
    cat >>"$work/$1/${2##*/}" <<'CANARY'
#ifdef IOTHUB_IMPLEMENTATION
static const int *iothub_canary_find(const int *number)
{
    return *number > 0 ? number : 0;
}
int iothub_canary(const int *number);
int iothub_canary(const int *number)
{
    int numbers[4];
    numbers[4] = *iothub_canary_find(number);
    return numbers[4];
}
#endif
CANARY
}

# Splits findings, lines of "file:line: severity: text [id]", into those of the canary, those of the table and the rest.
judge='
FILENAME == ARGV[1] { if ($1 == tool) { id[++rows] = $2; where[rows] = $3; row[rows] = $0 } next }
!/: (error|warning|style|performance|portability|information): .*\[[^]]*\]$/ { next }
/terminating analysis for this program point/ { next }
{
    ids = $0; sub(/.*\[/, ",", ids); sub(/\]$/, ",", ids); sub(/^,-W/, ",", ids)
    if (match($0, header ":[0-9]+:")) {
        line = substr($0, RSTART, RLENGTH - 1); sub(/.*:/, "", line)
        if (line + 0 >= canary) { seen = seen || index(ids, "," expected ","); next }
    }
    for (i = 1; i <= rows; ++i) if (index(ids, "," id[i] ",") && (where[i] == "everywhere" || index($0, where[i]))) {
        print row[i] >>used
        next
    }
    if (!told[$0]++) print
}
END { if (!seen) print "the canary was not seen: no " expected " in it" }'

# analyse TOOL EXPECTED NAME UNIT COMMAND...: EXPECTED is what the tool must say of the canary.
analyse() {
    local tool=$1 expected=$2 name=$3 unit=$4 header log code
    shift 4
    header=$(cd "$work/$unit" && echo *.h)
    log=$work/$unit/$(echo "$name" | tr -cs 'a-z0-9\n' _).log
    timeout $seconds "$@" >"$log" 2>&1
    code=$?
    awk -F '\t' -v tool="$tool" -v expected="$expected" -v header="$header" -v used="$work/used" \
        -v canary="$(sed -n '/iothub_canary/{=;q}' "$work/$unit/$header")" "$judge" "$work/deviations" "$log" >"$log.found"
    [ $code -eq 0 ] || { echo "it ended with code $code"; tail -3 "$log"; } >>"$log.found"
    if [ -s "$log.found" ]; then
        echo "FAIL  $name"
        sed "s|^.*/analysis/$unit/||; s|$PWD/||g; s/^/      /" "$log.found" | head -25
    else
        echo "ok    $name"
    fi
}

place client iothub_client.h
place posix ports/posix/iothub_posix.h
place bearssl ports/bearssl/iothub_bearssl.h
printf '#include "iothub_client.h"\n#define IOTHUB_IMPLEMENTATION\n' >"$work/declarations.h"

for unit in client posix bearssl; do
    source=$(echo "$work/$unit"/*.h)
    standard=c89
    [ $unit = bearssl ] && standard=c99          # bearssl.h has 64-bit types
    options="-D_POSIX_C_SOURCE=200809L -I$PWD"
    before="-DIOTHUB_IMPLEMENTATION -DIOTHUB_WEBSOCKET"
    before_cppcheck=$before
    gcc_options=-Wno-analyzer-null-argument      # README.md says why
    if [ $unit != client ]; then                 # a port: of the client it needs the declarations only
        gcc_options=
        before="-include $work/declarations.h"
        before_cppcheck=--include=$work/declarations.h
    fi

    # With its own limits gcc gives up on the client early, and says so only when asked. Few states for each point of the
    # program, but as many in all as it takes, reach every function (2.7 GB); "bailed out early" would be a finding.
    analyse gcc analyzer-null-dereference "gcc -fanalyzer: $unit" $unit \
        gcc -std=$standard $options $before -O1 -fanalyzer $gcc_options -Wanalyzer-too-complex --param analyzer-max-enodes-per-program-point=2 \
        --param analyzer-bb-explosion-factor=500 -fdiagnostics-plain-output -c -o /dev/null -x c "$source"
    analyse gcc null-dereference "gcc's flow warnings: $unit" $unit \
        gcc -std=$standard $options $before -O2 -Wall -Wextra -Wnull-dereference -Warray-bounds=2 -Wstringop-overflow=4 \
        -Wduplicated-cond -Wduplicated-branches -Wcast-align=strict -Wcast-qual -fdiagnostics-plain-output -c -o /dev/null -x c "$source"
    # clang's analyser keeps quiet about a NULL that a called function answers, or is prepared for, unless it is told not to.
    analyse clang-tidy clang-analyzer-core.NullDereference "clang-tidy: $unit" $unit \
        clang-tidy --quiet --config-file=$here/.clang-tidy "$source" -- -x c -std=$standard $options $before -Wall -Wextra \
        -Xclang -analyzer-config -Xclang suppress-null-return-paths=false,suppress-inlined-defensive-checks=false
    for platform in unix64 avr8; do              # int of 32 and of 16 bits
        analyse cppcheck arrayIndexOutOfBounds "cppcheck, $platform: $unit" $unit \
            cppcheck --quiet --enable=all --inconclusive --language=c --std=$standard --platform=$platform --library=posix \
            --template="{file}:{line}: {severity}: {message} ($platform) [{id}]" -DAI_NUMERICHOST=4 $options $before_cppcheck "$source"
    done
done

touch "$work/used"
sort -u "$work/used" >"$work/needed"
vain=$(sort -u "$work/deviations" | comm -23 - "$work/needed")
if [ -n "$vain" ]; then
    echo "FAIL  each deviation excuses something"
    echo "$vain" | sed 's/^/      not needed: /'
else
    echo "ok    each of the $(wc -l <"$work/deviations") deviations excuses something"
fi
echo done
