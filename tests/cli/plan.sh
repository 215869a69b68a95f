#!/usr/bin/env bash
# plan.sh - `train --plan` must predict the peak memory of the run within 5 %, and its FLOPs; and a run that cannot fit is refused.
# usage: tests/cli/plan.sh [build/hone]
set -u
hone=${1:-${HONE:-build/hone}}
# A sanitizer, or qemu, takes memory of its own.
[ -z "${SAN-}" ] || { echo "skip memory as planned: under $SAN"; exit 0; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
fail() { echo "plan.sh: FAILED: $*"; exit 1; }
field() { sed -n "s/.*\"$1\": *\([0-9.e+]*\).*/\1/p" "$2" | tail -1; }

# About a megabyte of text with 65 different characters, like tiny_shakespeare.
awk 'BEGIN { srand(1); c = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,.;:!?-&3$ '"'"'";
             for (i = 0; i < 20000; i++) { s = ""; for (j = 0; j < 55; j++) s = s substr(c, 1 + int(rand() * length(c)), 1); print s } }' > "$tmp/text.txt"

try() {                                                        # name, settings …
    local name=$1 plan peak off
    shift
    local args=(data.train="$tmp/text.txt" data.tokenizer=char data.split=tail data.valid_fraction=0.01 train.steps=2 sched.warmup=0 "$@")
    "$hone" train "${args[@]}" out="$tmp/$name" --plan --json > "$tmp/plan.json" 2> "$tmp/err" || fail "$name --plan: $(cat "$tmp/err")"
    [ -e "$tmp/$name/checkpoint" ] && fail "$name: --plan left a checkpoint"
    "$hone" train "${args[@]}" out="$tmp/$name" --json > "$tmp/run.json" 2> "$tmp/err" || fail "$name: $(cat "$tmp/err")"
    plan=$(field peak_rss_bytes "$tmp/plan.json") peak=$(field peak_rss_bytes "$tmp/run.json")
    [ -n "$plan" ] && [ -n "$peak" ] || fail "$name: no numbers: $(cat "$tmp/plan.json" "$tmp/run.json")"
    off=$(awk -v a="$plan" -v b="$peak" 'BEGIN { printf "%.2f", 100 * (a - b) / b }')
    echo "plan.sh: $name: planned $plan, measured $peak bytes ($off %)"
    awk -v o="$off" 'BEGIN { exit !(o <= 5 && o >= -5) }' || fail "$name: the plan is off by $off %"
}

try nanogpt model.layers=4 model.heads=4 model.width=128 model.context=64 train.batch=12
try baby model.layers=6 model.heads=6 model.width=384 model.context=256 train.batch=4
try accumulate model.layers=6 model.heads=6 model.width=384 model.context=256 train.batch=2 train.accumulate=2 train.ema=0.9
whole=$(field peak_rss_bytes "$tmp/run.json")
try bf16 model.layers=6 model.heads=6 model.width=384 model.context=256 train.batch=2 train.accumulate=2 train.ema=0.9 train.dtype=bf16
[ "$(field peak_rss_bytes "$tmp/run.json")" -lt "$whole" ] || fail "bf16 activations take no less than f32's $whole bytes"
"$hone" doctor | grep -q avx512bf16 || grep -q "kept in bf16" "$tmp/err" || fail "does not say that bf16 is storage here: $(cat "$tmp/err")"

"$hone" train data.train="$tmp/text.txt" model.width=16384 model.layers=64 out="$tmp/huge" > "$tmp/log" 2>&1
status=$?
[ "$status" = 1 ] || fail "a run beyond memory: exit $status: $(cat "$tmp/log")"
grep -q "MiB" "$tmp/log" || fail "a run beyond memory: does not say how much it needs: $(cat "$tmp/log")"
[ -e "$tmp/huge/checkpoint" ] && fail "a run beyond memory left a checkpoint"
echo "plan.sh: ok"
