#!/usr/bin/env bash
# valgrind.sh - memcheck over a short training and what is done with its model: no access outside of what is there, no use of what was never
# written, nothing lost. valgrind knows no AVX-512, so AVX2, which oneDNN is told as well by the CPU that valgrind pretends.
# usage: tests/cli/valgrind.sh [build/hone]
set -u
hone=${1:-${HONE:-build/hone}}
command -v valgrind > /dev/null || { echo "skip valgrind: apt-get install valgrind"; exit 0; }
if nm "$hone" 2> /dev/null | grep -q '__[at]san_init'; then echo "skip valgrind: this hone is built with a sanitizer"; exit 0; fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
HONE_ISA=plain; grep -qw avx2 /proc/cpuinfo && HONE_ISA=avx2
export HONE_ISA
check() { # NAME COMMAND…
    local name=$1; shift
    valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --log-file="$tmp/log" "$hone" "$@" > "$tmp/out" 2>&1
    local status=$?
    [ $status = 0 ] && [ ! -s "$tmp/log" ] && echo "ok $name" || echo "not ok $name: status $status: $(head -c 1500 "$tmp/log" "$tmp/out" | tr '\n' ' ')"
}
for i in $(seq 40); do echo "The $i words of a small text, and a line's end $((i * 7919 % 1000))."; done > "$tmp/t.txt"
tiny="model.layers=1 model.width=16 model.heads=2 model.context=16 train.steps=2 train.batch=2 --threads 2"
check "training" train "$tmp/t.txt" --out "$tmp/run" $tiny
check "training in bf16, with muon and dropout" train "$tmp/t.txt" --out "$tmp/run16" $tiny train.dtype=bf16 optim=muon model.dropout=0.1
check "evaluation" eval "$tmp/run/best" --data "$tmp/t.txt" --threads 2
check "generation" generate "$tmp/run/best" --prompt The --max-tokens 4 --threads 2
check "info" info "$tmp/run/best"
