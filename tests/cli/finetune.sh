#!/usr/bin/env bash
# finetune.sh - a small model taught to answer sums in talks (as GSM8K's are written): trained in full and by an adapter, packed and not,
# killed and resumed, measured, exported; and rows that cannot be used.
# usage: tests/cli/finetune.sh [build/hone]
set -u
hone=${1:-${HONE:-build/hone}}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. "$(dirname "$0")/lib/check.sh"
field() { sed -n "s/.*\"$1\": *\([0-9.e+-]*\).*/\1/p" "$2" | tail -1; }
less() { awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && b != "" && a + 0 < b + 0) }' && echo "ok $1" || echo "not ok $1: $2 is not below $3"; }

awk 'BEGIN { srand(2); for (i = 0; i < 400; i++) { a = int(rand() * 9); b = int(rand() * 9); n = split("Ann Bob Cy", who, " "); p = who[1 + i % n];
    printf "{\"messages\": [{\"role\": \"user\", \"content\": \"%s has %d nuts and finds %d. How many?\"}, ", p, a, b
    printf "{\"role\": \"assistant\", \"content\": \"%d + %d = %d\\n#### %d\"}]}\n", a, b, a + b, a + b } }' > "$tmp/sums.jsonl"
head -340 "$tmp/sums.jsonl" > "$tmp/train.jsonl"
tail -60 "$tmp/sums.jsonl" > "$tmp/valid.jsonl"
sed 's/.*"content": "\(.*\)"}, {.*"content": "\(.*\)"}\]}/\1 \2/' "$tmp/train.jsonl" > "$tmp/plain.txt"

# A base model of the plain text, given a chat template, as published models have one.
try train data.train="$tmp/plain.txt" data.tokenizer=tests/golden/sft/bytes model.layers=1 model.heads=2 model.width=32 model.context=96 \
    train.steps=40 train.batch=8 sched.warmup=4 optim.lr=3e-3 out="$tmp/base"
check "a base model" 0 "valid loss"
printf '%s' "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}" \
    > "$tmp/base/best/chat_template.jinja"

sft=(train "$tmp/base/best" data.train="$tmp/train.jsonl" data.valid="$tmp/valid.jsonl" data.pack=true train.batch=4 train.steps=60 sched.warmup=4
     optim.lr=3e-3 train.save_every=1 --json)
try eval "$tmp/base/best" --data "$tmp/valid.jsonl" --json
check "eval of answers" 0 '"tokens"' "rows of the form messages"
before=$(field loss "$tmp/out") asked=$(field tokens "$tmp/out")
try eval "$tmp/base/best" --data "$tmp/valid.jsonl" --learn all --json
less "answers alone are asked for" "$asked" "$(field tokens "$tmp/out")"
try "${sft[@]}" out="$tmp/full" --plan
plan=$(field peak_rss_bytes "$tmp/out")
try "${sft[@]}" out="$tmp/full"
check "full fine-tuning" 0 valid_loss
after=$(field valid_loss "$tmp/out")
less "the answers are learned" "$after" "$(awk -v b="$before" 'BEGIN { print b / 2 }')"
off=$(awk -v a="$plan" -v b="$(field peak_rss_bytes "$tmp/out")" 'BEGIN { d = 100 * (a - b) / b; printf "%.1f", d < 0 ? -d : d }')
if [ -n "${SAN-}" ]; then echo "skip memory about as planned: under $SAN"; else less "memory about as planned" "$off" 10; fi
cmp -s "$tmp/base/best/chat_template.jinja" "$tmp/full/best/chat_template.jinja" && echo "ok the template goes with the model" || echo "not ok the template goes with the model"
try eval "$tmp/full/best" --data "$tmp/valid.jsonl" --against "$tmp/base/best" --json
check "eval against the base" 0 '"p_value"'
awk -v a="$after" -v b="$(field loss "$tmp/out")" 'BEGIN { d = a - b; exit !(d < 1e-4 && d > -1e-4) }' && echo "ok eval gives the training's loss" ||
    echo "not ok eval gives the training's loss: $after, $(said)"

# Killed in its midst, it ends in the same bytes.
"$hone" "${sft[@]}" out="$tmp/killed" --quiet > "$tmp/log" 2>&1 &
pid=$!
for _ in $(seq 200); do [ -e "$tmp/killed/checkpoint/state.safetensors" ] && break; sleep 0.02; done
sleep 0.1
kill -9 "$pid" 2> /dev/null
wait "$pid" 2> /dev/null
try train --resume "$tmp/killed" --json
check "resume" 0 '"step": 60'
cmp -s "$tmp/full/best/model.safetensors" "$tmp/killed/best/model.safetensors" && echo "ok resumed to the same bytes" || echo "not ok resumed to the same bytes"

lora=("${sft[@]}" adapter=lora adapter.rank=8 optim.lr=1e-2)
try "${lora[@]}" out="$tmp/lora"
check "an adapter" 0 valid_loss
less "an adapter learns too" "$(field valid_loss "$tmp/out")" "$before"
[ -e "$tmp/lora/best/adapter_model.safetensors" ] && [ -e "$tmp/lora/best/chat_template.jinja" ] && echo "ok the adapter's folder" || echo "not ok the adapter's folder"
try eval "$tmp/lora/best" --data "$tmp/valid.jsonl" --json
check "eval of the adapter" 0 '"loss"'
try "${sft[@]}" data.pack=false train.steps=8 out="$tmp/unpacked"
check "one sample to a row" 0 valid_loss
printf 'Ann has 2 nuts and finds 3. How many?\n' | "$hone" chat "$tmp/full/best" --temperature 0 --max-tokens 40 > "$tmp/out" 2> "$tmp/err"
status=$?
check "chat with it" 0 "####"

improve=(improve recipes/finetune.yaml model="$tmp/base/best" data.train="$tmp/sums.jsonl" budget.steps=12 data.max_length=96 improve.levers=lora
         improve.tune=false improve.confirm_seeds=2 optim.lr=3e-3 --json)
try "${improve[@]}" out="$tmp/improve"
check "improve a model on talks" 0 '"lever": "lora"' '"lever": "continue", "verdict": "kept"' "rows of the form messages" '"sealed_items"'
[ -e "$tmp/improve/best/chat_template.jinja" ] && [ -e "$tmp/improve/best/model.safetensors" ] && echo "ok what it ships" || echo "not ok what it ships"
try "${improve[@]}" adapter=lora adapter.rank=4 optim.lr=1e-2 out="$tmp/improve_lora"
check "improve by an adapter" 0 "the start trains an adapter already" '"lever": "continue"'
[ -e "$tmp/improve_lora/best/model.safetensors" ] && echo "ok merged in the end" || echo "not ok merged in the end"

# What cannot be used.
bad() { printf '%s\n' "$2" > "$tmp/bad.jsonl"; shift 2; try train "$tmp/base/best" data.train="$tmp/bad.jsonl" train.steps=1 out="$tmp/no" "$@"; }
bad x '{"prompt": "a"}'
check "no form" 3 "bad.jsonl:1" "no \"text\"" "hone list row"
bad x '{"messages": [{"role": "assistant", "content": "a"}]}'
check "roles out of order" 3 "bad.jsonl:1" "nobody asked"
bad x '{"prompt": "a", "completion": ""}'
check "an empty answer" 3 "bad.jsonl:1" "\"completion\" is empty"
bad x '{"prompt": "a"}' data.format=mesages
check "an unknown form" 2 "mesages" "Did you mean 'messages'?"
printf "{{ raise_exception('only one question') }}" > "$tmp/no.jinja"
bad x '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}]}' data.chat_template="$tmp/no.jinja"
check "a template that refuses" 3 "bad.jsonl:1" "only one question"
printf '{%% for x in' > "$tmp/no.jinja"
bad x '{"text": "a"}' data.chat_template="$tmp/no.jinja"
check "a template that is none" 3 "no.jinja"
try train "$tmp/base/best" data.train="$tmp/train.jsonl" data.max_length=20 train.steps=1 out="$tmp/no"
check "answers beyond max_length" 3 "data.max_length"
try train "$tmp/base/best" data.train="$tmp/train.jsonl" data.max_length=58 train.steps=1 sched.warmup=0 out="$tmp/cut"
check "cut answers are counted" 0 "are cut" "tokens lost"
try train "$tmp/base/best" data.train="$tmp/train.jsonl" data.max_length=1000 train.steps=1 sched.warmup=0 out="$tmp/long"
check "more than the context" 0 "context holds 96 tokens"
(printf '[\n'; sed 's/$/,/' "$tmp/train.jsonl"; printf '{"messages": 7}]\n') > "$tmp/train.json"
try train "$tmp/base/best" data.train="$tmp/train.json" train.steps=1 sched.warmup=0 out="$tmp/array"
check "an array" 0 "1 of 341 rows set aside" "line 342"
grep -q '"line": 342' "$tmp/array/set-aside.jsonl" && echo "ok set aside by line" || echo "not ok set aside by line"
