#!/usr/bin/env bash
# resume.sh - kill -9 a training at 20 random moments, during saves too; going on must end in the same bytes as never being killed.
# usage: tests/cli/resume.sh [build/hone]
set -u
hone=${1:-${HONE:-build/hone}}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
RANDOM=${SEED:-1}

for i in $(seq 400); do echo "line $i: the cat $((i * 7919 % 101)) sat on mat $((i * 104729 % 89))"; done > "$tmp/text.txt"
cat > "$tmp/recipe.yaml" <<Y
model: {arch: gpt2, layers: 1, heads: 2, width: 32, context: 32, dropout: 0.1}
data: {train: $tmp/text.txt, tokenizer: char}
train: {steps: 300, batch: 4, accumulate: 2, ema: 0.95, eval_every: 50, eval_tokens: 500, save_every: 2}
sched: {warmup: 10}
Y

fail() { echo "resume.sh: FAILED: $*"; exit 1; }

began=$(date +%s%N)
"$hone" train "$tmp/recipe.yaml" out="$tmp/whole" --quiet --json > "$tmp/whole.json" 2> "$tmp/err" || fail "the undisturbed run: $(cat "$tmp/err")"
took=$((($(date +%s%N) - began) / 1000000))                    # ms
kills=0 runs=0
while [ "$kills" -lt 20 ]; do
    runs=$((runs + 1))
    out=$tmp/run$runs
    cmd=("$hone" train "$tmp/recipe.yaml" out="$out" --quiet)
    while :; do
        "${cmd[@]}" > "$tmp/log" 2>&1 &
        pid=$!
        if [ "$kills" -lt 20 ]; then
            ms=$((RANDOM * 32768 + RANDOM)); ms=$((ms % (took / 3 + 20) + 5))
            sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
            kill -9 "$pid" 2> /dev/null
        fi
        wait "$pid" 2> /dev/null
        status=$?
        [ "$status" = 0 ] && break
        [ "$status" = 137 ] || fail "exit $status after $kills kills: $(cat "$tmp/log")"
        kills=$((kills + 1))
        if [ -f "$out/recipe.yaml" ]; then cmd=("$hone" train --resume "$out" --quiet); fi
    done
    cmp "$tmp/whole/best/model.safetensors" "$out/best/model.safetensors" || fail "run $runs ended in other weights"
    left=$(find "$out" -name '*.tmp-*' | head -3)
    [ -z "$left" ] || fail "left behind: $left"
done

# SIGINT: the step is finished, the state saved, the way to go on told, exit 130.
"$hone" train "$tmp/recipe.yaml" out="$tmp/int" --quiet > "$tmp/log" 2>&1 &
pid=$!
while [ ! -f "$tmp/int/checkpoint/state.safetensors" ] && kill -0 "$pid" 2> /dev/null; do sleep 0.01; done
kill -INT "$pid" 2> /dev/null
wait "$pid"
status=$?
if [ "$status" != 0 ]; then                                     # 0: it was done before the signal came
    [ "$status" = 130 ] || fail "SIGINT: exit $status: $(cat "$tmp/log")"
    grep -q -- "--resume" "$tmp/log" || fail "SIGINT: does not say how to go on: $(cat "$tmp/log")"
    "$hone" train --resume "$tmp/int" --quiet > "$tmp/log" 2>&1 || fail "resume after SIGINT: $(cat "$tmp/log")"
fi
cmp "$tmp/whole/best/model.safetensors" "$tmp/int/best/model.safetensors" || fail "SIGINT: other weights"
echo "resume.sh: ok: $kills kills over $runs runs of ${took} ms"
