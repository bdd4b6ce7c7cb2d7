#!/usr/bin/env bash
# Replays the corpora, then fuzzes each target for SECONDS with libFuzzer and for SECONDS with AFL++. One line a check: ok or
# FAIL. SECONDS 0 replays only. What the fuzzers found stays in BUILD-FOLDER/fuzz, a crash as the file that makes it.
# usage: run.sh BUILD-FOLDER SECONDS [TARGET...]   (from the root of the checkout)
set -u
here=tests/fuzz
work=$1/fuzz
seconds=$2
shift 2
[ $# -gt 0 ] || set -- parser connection_string json topic websocket client features
rm -rf "$work"
mkdir -p "$work"
work=$(cd "$work" && pwd)
sanitizers="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
longest=1500                                     # bytes of an input

# guard SECONDS COMMAND...: ends it in time, and with this script.
child=
trap '[ -z "$child" ] || kill "$child" 2>/dev/null' EXIT
trap 'exit 1' INT TERM
guard() {
    local limit=$1
    shift
    timeout -k 10 "$limit" "$@" &
    child=$!
    wait $child
    local code=$?
    child=
    return $code
}

# fail NAME LOG: with what the log says of it, or how it ends.
fail() {
    echo "FAIL  $1"
    { grep -aE 'ERROR|SUMMARY|runtime error|Test unit written|promised|ABORT|: error:' "$2" || tail -4 "$2"; } | head -10 | sed 's/\x1b\[[0-9;]*[a-zA-Z]//g; s/^/      /'
}

# build NAME LOG COMMAND...
build() {
    local name=$1 log=$2
    shift 2
    guard 300 "$@" >"$log" 2>&1 && return
    fail "$name does not build" "$log"
    return 1
}

replay() {
    local target=$1 log=$work/$1.replay.log
    build "replay $target" "$log" gcc -std=gnu99 -Wall -Wextra -Werror $sanitizers -fsanitize-coverage=trace-pc -I. \
        "$here/${target}_fuzz.c" "$here/replay.c" -o "$work/${target}_replay" || return
    if guard 300 "$work/${target}_replay" "$here/corpus/$target"/* >"$log" 2>&1; then
        echo "ok    replay $target: $(tail -1 "$log")"
    else
        fail "replay $target" "$log"
    fi
}

dictionary() { [ ! -e "$here/$1.dict" ] || echo "$2$here/$1.dict"; }

libfuzzer() {
    local target=$1 log=$work/$1.libfuzzer.log runs code
    build "libFuzzer $target" "$log" clang $sanitizers -fsanitize=fuzzer -I. "$here/${target}_fuzz.c" -o "$work/${target}_libfuzzer" || return
    mkdir "$work/$target.found"
    guard $((seconds + 60)) "$work/${target}_libfuzzer" -max_total_time="$seconds" -max_len=$longest -timeout=10 \
        -artifact_prefix="$work/$target." $(dictionary "$target" -dict=) "$work/$target.found" "$here/corpus/$target" >"$log" 2>&1
    code=$?
    runs=$(sed -n 's/^Done \([0-9]*\) runs in .*/\1/p' "$log")
    if [ $code -eq 0 ] && [ "${runs:-0}" -gt "$(ls "$here/corpus/$target" | wc -l)" ]; then
        echo "ok    libFuzzer $target: $runs inputs in $seconds s"
    else
        fail "libFuzzer $target: code $code, ${runs:-0} inputs" "$log"
    fi
}

aflplusplus() {
    local target=$1 log=$work/$1.afl.log stats=$work/$1.afl/default/fuzzer_stats code runs crashes hangs
    export AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_HANG_TMOUT=10000
    build "AFL++ $target" "$log" env AFL_USE_ASAN=1 AFL_USE_UBSAN=1 afl-clang-fast -g -O1 -fno-sanitize-recover=all -fsanitize=fuzzer \
        -I. "$here/${target}_fuzz.c" -o "$work/${target}_afl" || return
    guard $((seconds + 60)) afl-fuzz -V "$seconds" -G $longest -t 2000 -m none $(dictionary "$target" "-x ") -i "$here/corpus/$target" \
        -o "$work/$target.afl" -- "$work/${target}_afl" >"$log" 2>&1
    code=$?
    runs=$(sed -n 's/^execs_done *: //p' "$stats" 2>/dev/null)
    crashes=$(sed -n 's/^saved_crashes *: //p' "$stats" 2>/dev/null)
    hangs=$(sed -n 's/^saved_hangs *: //p' "$stats" 2>/dev/null)
    if [ $code -eq 0 ] && [ "${runs:-0}" -gt "$(ls "$here/corpus/$target" | wc -l)" ] && [ "$crashes" = 0 ] && [ "$hangs" = 0 ]; then
        echo "ok    AFL++ $target: $runs inputs in $seconds s"
    else
        fail "AFL++ $target: code $code, ${runs:-0} inputs, ${crashes:-?} crashes, ${hangs:-?} hangs" "$log"
        ls "$work/$target.afl/default/crashes/"id* "$work/$target.afl/default/hangs/"id* 2>/dev/null | head -5 | sed 's/^/      /'
    fi
}

for target in "$@"; do
    replay "$target"
    [ "$seconds" -gt 0 ] || continue
    libfuzzer "$target"
    aflplusplus "$target"
done

# A fuzzer's helpers live in sessions of their own.
running=
for process in /proc/[0-9]*; do
    case $(readlink "$process/exe" 2>/dev/null) in "$work"/*) running="$running ${process#/proc/}" ;; esac
done
if [ -n "$running" ]; then
    echo "FAIL  nothing is left running: processes$running are"
    kill -KILL $running
fi
echo done
