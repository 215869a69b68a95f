#!/usr/bin/env bash
# convert.sh - a model in other forms: halves, shards, and back; what info and inspect say of them, and of a folder larger than memory.
# usage: tests/cli/convert.sh [build/hone]
set -u
hone=${1:-${HONE:-build/hone}}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. "$(dirname "$0")/lib/check.sh"
gold=tests/golden/llama_tiny

try convert $gold "$tmp/bf16" --dtype bf16; check "to bf16" 0 "log-probabilities differ by 0.0"
try convert "$tmp/bf16" "$tmp/shards" --dtype f32 --shard-gigabytes 0.00001 --json; check "to shards" 0 '"largest_log_prob_difference": 0.0' '"dtype": "f32"'
[ -e "$tmp/shards/model.safetensors.index.json" ] && [ ! -e "$tmp/shards/model.safetensors" ] && [ -e "$tmp/shards/model-00002-of-00003.safetensors" ] &&
    echo "ok shards and an index" || echo "not ok shards and an index: $(ls "$tmp/shards")"
try convert "$tmp/shards" "$tmp/one"; check "and back" 0 "differ by 0 at most"
try info "$tmp/bf16" --json --checksum; check "info of halves" 0 '"dtype": "bf16"' '"types": {"bf16": [' '"bytes_to_train"' '"checksum"'
sum() { "$hone" info "$1" --json --checksum | sed 's/.*"checksum": "\([0-9a-f]*\)".*/\1/'; }
[ "$(sum "$tmp/one")" != "$(sum $gold)" ] && [ "$(sum "$tmp/one")" = "$(sum "$tmp/one")" ] && echo "ok checksums" || echo "not ok checksums: $(sum "$tmp/one") $(sum $gold)"
try convert $gold "$tmp/one"; check "a folder with a model is not overwritten" 2 "already holds a model"
try convert $gold; check "where to?" 2 "where to"
try convert "$tmp/nowhere" "$tmp/x"; check "no such model" 3 nowhere
try convert tests/golden/peft_llama "$tmp/x"; check "an adapter is no model" 2 "hone merge"
sed 's/"transformers_version"/"kept_by_hone": 7, "transformers_version"/' $gold/config.json > "$tmp/c.json"
mkdir "$tmp/more"; cp $gold/* "$tmp/more"; cp "$tmp/c.json" "$tmp/more/config.json"; echo '{"temperature": 0.6, "eos_token_id": [3, 4]}' > "$tmp/more/generation_config.json"
try convert "$tmp/more" "$tmp/kept"; check "a folder with more in it" 0
grep -q '"kept_by_hone": 7' "$tmp/kept/config.json" && grep -q '"temperature": 0.6' "$tmp/kept/generation_config.json" && grep -q '\[3' <<< "$(tr -d ' \n' < "$tmp/kept/generation_config.json")" &&
    echo "ok unknown keys stay" || echo "not ok unknown keys stay: $(cat "$tmp/kept/"*config.json)"

# What answers from halves reads them where they are.
for type in f32 bf16 f16; do
    try convert tests/golden/tasks/model_gpt2 "$tmp/text-$type" --dtype $type; check "a text model to $type" 0
    try generate "$tmp/text-$type" --prompt "The cat" --max-tokens 8 --temperature 0 --json; check "generate from $type" 0 '"finish_reason"'
    try score "$tmp/text-$type" --text "The cat sat" --json; check "score by $type" 0 '"logprobs"'
    try eval "$tmp/text-$type" --data tests/golden/tasks/text/items.jsonl --json; check "eval of $type" 0 '"bits_per_byte"'
done

try inspect "$tmp/shards"; check "inspect lists" 0 "f32" "model.norm.weight"
try inspect "$tmp/bf16" model.norm.weight; check "inspect a tensor" 0 "bf16 (16)" "L2" "###"
try inspect "$tmp/bf16" model.norm.weight --json; check "inspect --json" 0 '"histogram": [' '"not_finite": 0' '"shape": [16]'
try inspect "$tmp/bf16" norm.weight; check "no such tensor" 2 "there is 'model"
try inspect "$tmp/nowhere"; check "nothing to inspect" 3 "no tensors"
printf 'abc' > "$tmp/x.bin"; try info "$tmp/x.bin"; check "a .bin that is none" 3 "no llama2.c checkpoint"

# A folder of 10 GB whose numbers are holes in the file: told at once, in little memory.
mkdir "$tmp/big"
cat > "$tmp/big/config.json" <<'J'
{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 11,
 "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "hidden_act": "silu"}
J
awk 'function t(name, r, c) { n = r * (c ? c : 1) * 4; h = h (h == "" ? "" : ",") "\"" name "\":{\"dtype\":\"F32\",\"shape\":[" r (c ? "," c : "") "],\"data_offsets\":[" sprintf("%.0f,%.0f", at, at + n) "]}"; at += n }
     BEGIN { at = 0; C = 4096; F = 11008; t("model.embed_tokens.weight", 32000, C)
             for (i = 0; i < 11; i++) { l = "model.layers." i "."; t(l "input_layernorm.weight", C); t(l "post_attention_layernorm.weight", C)
                 t(l "self_attn.q_proj.weight", C, C); t(l "self_attn.k_proj.weight", C, C); t(l "self_attn.v_proj.weight", C, C); t(l "self_attn.o_proj.weight", C, C)
                 t(l "mlp.gate_proj.weight", F, C); t(l "mlp.up_proj.weight", F, C); t(l "mlp.down_proj.weight", C, F) }
             t("model.norm.weight", C); t("lm_head.weight", 32000, C); printf "{%s}", h; printf "%.0f", at > "/dev/stderr" }' > "$tmp/header" 2> "$tmp/bytes"
n=$(wc -c < "$tmp/header"); pad=$(((8 - n % 8) % 8)); all=$((n + pad))
{ printf "$(printf '\\%03o\\%03o\\%03o\\000\\000\\000\\000\\000' $((all % 256)) $((all / 256 % 256)) $((all / 65536)))"; cat "$tmp/header"; printf '%*s' "$pad" ''; } > "$tmp/big/model.safetensors"
truncate -s $((8 + all + $(cat "$tmp/bytes"))) "$tmp/big/model.safetensors" 2> /dev/null || { echo "skip a 10 GB folder: no holes in files here"; exit 0; }
[ -n "${SAN-}" ] || ulimit -d 400000                               # KB of data: no room for the weights
try info "$tmp/big" --json; check "a 10 GB folder" 0 '"parameters": 2488' '"bytes": 995' '"bytes_to_run"'
