#!/usr/bin/env bash
# adapters.sh - a model fine-tuned by an adapter alone: planned within 5 %, resumed, opened, merged; and the adapters of others.
# usage: tests/cli/adapters.sh [build/hone]
set -u
hone=${1:-${HONE:-build/hone}}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. "$(dirname "$0")/lib/check.sh"
field() { sed -n "s/.*\"$1\": *\([0-9.e+-]*\).*/\1/p" "$2" | tail -1; }

awk 'BEGIN { srand(1); split("the cat sat on a mat dog ran up hill", w, " ");
             for (i = 0; i < 3000; i++) { s = ""; for (j = 0; j < 8; j++) s = s w[1 + int(rand() * 10)] " "; print s } }' > "$tmp/text.txt"
try train data.train="$tmp/text.txt" model.layers=6 model.heads=4 model.width=384 model.context=64 train.steps=2 train.batch=2 sched.warmup=0 out="$tmp/base"
check "a base model" 0
try train "$tmp/base/best" data.train="$tmp/text.txt" adapter.rank=4 --plan
check "a rank without an adapter is told" 0 "adapter.rank says how"
try train "$tmp/base/best" data.train="$tmp/text.txt" adapter.rank=8 --plan
lacks "a default is nothing to tell" "says how"
lora=(train "$tmp/base/best" data.train="$tmp/text.txt" adapter=lora adapter.rank=4 adapter.targets=c_attn,c_fc train.batch=8 train.steps=4 sched.warmup=0
      optim.lr=0.01 --json)
try "${lora[@]}" out="$tmp/lora" --plan
plan=$(field peak_rss_bytes "$tmp/out") states=$(field bytes_optimizer "$tmp/out")
check "--plan of an adapter" 0 bytes_weights
try "${lora[@]}" out="$tmp/lora"
peak=$(field peak_rss_bytes "$tmp/out") loss=$(field valid_loss "$tmp/out")
check "training an adapter" 0 valid_loss
off=$(awk -v a="$plan" -v b="$peak" 'BEGIN { printf "%.2f", 100 * (a - b) / b }')
echo "adapters.sh: planned $plan, measured $peak bytes ($off %), optimizer $states"
if [ -n "${SAN-}" ]; then echo "skip memory as planned: under $SAN"
else awk -v o="$off" -v s="$states" 'BEGIN { exit !(o <= 5 && o >= -5 && s < 2e6) }' && echo "ok memory as planned" || echo "not ok memory as planned: off by $off %"; fi
[ -e "$tmp/lora/best/adapter_model.safetensors" ] && [ ! -e "$tmp/lora/best/model.safetensors" ] && echo "ok best is an adapter folder" ||
    echo "not ok best is an adapter folder: $(ls "$tmp/lora/best")"
grep -q '"base_model_name_or_path": ".*/base/best"' "$tmp/lora/best/adapter_config.json" && echo "ok it names its base" || echo "not ok it names its base"
try "${lora[@]}" out="$tmp/lora"
check "a run is not overwritten" 2 "already holds a run"
try train --resume "$tmp/lora" train.steps=4 --json
check "a finished run resumes" 0 '"step": 4'

try score "$tmp/lora/best" --text "the cat sat on a hill" --json
check "score opens it with its base" 0 logprobs
with=$(field sum "$tmp/out")
try merge "$tmp/lora/best" --out "$tmp/merged" --json
check merge 0 largest_logit_difference
try score "$tmp/merged" --text "the cat sat on a hill" --json
awk -v a="$with" -v b="$(field sum "$tmp/out")" 'BEGIN { d = a - b; exit !(a != "" && d < 1e-3 && d > -1e-3) }' && echo "ok merged scores the same" ||
    echo "not ok merged scores the same: $with, $(said)"
try merge "$tmp/base/best" --adapter "$tmp/lora/best" --out "$tmp/merged2"
check "merge with the adapter named" 0 merged
cmp -s "$tmp/merged/model.safetensors" "$tmp/merged2/model.safetensors" && echo "ok both ways give the same file" || echo "not ok both ways give the same file"
try merge "$tmp/base/best" --adapter "$tmp/lora/best" --out "$tmp/merged2"
check "a model is not overwritten" 2 "already holds a model"
try generate "$tmp/lora/best" --prompt "the cat" --max-tokens 3 --temperature 0
check "generate opens it" 0 ""
try eval "$tmp/lora/best" --data "$tmp/text.txt" --against "$tmp/base/best"
check "eval opens it" 0 ""
try info "$tmp/lora/best"
check info 0 "rank 4" "base_model.model.transformer.h.5.mlp.c_fc.lora_B.weight [1536, 4]"
try merge tests/golden/gpt2_tiny --adapter tests/golden/peft_llama --out "$tmp/no"
check "an adapter of another model" 3 "has no place in this model" "made for ../llama_tiny"
try train tests/golden/gpt2_tiny data.train="$tmp/text.txt" data.tokenizer=char adapter=lora adapter.targets=c_atn out="$tmp/no"
check "a target that fits nothing" 2 "c_atn" "c_attn"
try train data.train="$tmp/text.txt" adapter=lora out="$tmp/no"
check "an adapter without a model" 2 "needs a model"
try train "$tmp/lora/best" data.train="$tmp/text.txt" train.steps=1 sched.warmup=0 out="$tmp/full"
check "an adapted model trained in full" 0 ""
[ -e "$tmp/full/best/model.safetensors" ] && echo "ok then it is a model" || echo "not ok then it is a model"
data=${HONE_DATA:-../shared/data}/peft_lora_gpt2
if [ -d "$data" ]; then
    try info "$data" --json
    check "a published adapter" 0 '"rank": 8' "h.11.attn.c_attn.lora_B.weight" "base_model.model.score.weight"
else echo "adapters.sh: skipped: $data is not here (set HONE_DATA)"; fi
