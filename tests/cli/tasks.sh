#!/bin/sh
# Task packs from outside: results as lines and as JSON, samples, ledger, what is refused; the packs that come with hone on the published
# items when those are at hand.
hone=${HONE:-build/hone}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. "$(dirname "$0")/lib/check.sh"
golden=tests/golden/tasks
model=$golden/model_gpt2

try eval $model --task $golden/piqa;                        check "a pack" 0 piqa acc_norm 0.75
try eval $model --task $golden/piqa --task $golden/copa --json; check "two packs as JSON" 0 '"name": "piqa"' '"metric": "acc"' '"stderr"' '"n": 4' '"higher_is_better": true' '"name": "copa"'
try eval $model --task $golden/piqa --against $golden/model_llama --json; check "against another model" 0 '"difference"' '"ci95"' '"p_value"' '"test": "McNemar'
try eval $model --task $golden/arc_easy --limit 2 --json;   check "a limit" 0 '"n": 2'
try eval $model --task $golden/sums --samples "$tmp/s.jsonl" --ledger "$tmp/l.sqlite"; check "samples and ledger" 0 strict flexible
cp "$tmp/s.jsonl" "$tmp/out"; check "samples hold what was made" 0 '"generated"' '"filtered"' '"filter": "strict"'
try ledger list "$tmp/l.sqlite" --json; check "the ledger holds the run" 0 '"state": "done"'
try eval $model --task piqaa;                               check "no such pack" 2 "there is no task 'piqaa'" "Did you mean 'piqa'?"
try eval $model --task $golden/piqa --data "$tmp/none.jsonl"; check "no such items" 3 "none.jsonl"
try eval $model --task $golden/piqa --task $golden/copa --task $golden/sums --data a --data b; check "files and packs do not pair" 2 "3 tasks and 2 files"

# ---- text loss: windows that slide, a line for each document, the ledger ----
i=0; while [ $i -lt 40 ]; do echo "{\"text\": \"Document $i: the cat sat on mat $((i * 7919 % 101)) and saw $((i * 104729 % 89)) birds, one by one, until the evening came and the moon rose over hill $i, and all of them went home.\"}"; i=$((i + 1)); done > "$tmp/d.jsonl"
try eval $model --data "$tmp/d.jsonl" --json; check "text loss" 0 '"bits_per_byte"'
apart=$(grep -o '"tokens": [0-9]*' "$tmp/out")
try eval $model --data "$tmp/d.jsonl" --stride 24 --samples "$tmp/docs.jsonl" --ledger "$tmp/text.sqlite" --json; check "windows that slide" 0 "$apart"
[ "$(wc -l < "$tmp/docs.jsonl")" = 40 ] && echo "ok a line for each document" || echo "not ok a line for each document: $(wc -l < "$tmp/docs.jsonl")"
cp "$tmp/docs.jsonl" "$tmp/out"; check "documents have their perplexity" 0 '"doc_id": 39' '"begins": "Document 39' '"perplexity"' '"bits_per_byte"'
try ledger export "$tmp/text.sqlite"; check "the ledger holds the items of a text" 0 '"phase": "eval"' '"document"'
try eval $model --data "$tmp/d.jsonl" --stride 97; check "a stride longer than the window" 2 "--stride is longer than the window" "at most 96"
try eval $model --task text --data "$tmp/d.jsonl"; check "the pack of text loss" 0 word_perplexity bits_per_byte
try eval $model --task $golden/piqa --against $model --detect 0.05; check "a model against itself" 0 "p 1"
lacks "no number is needed for what never differs" "items would show"

try list task;   check "list task" 0 multiple_choice generate_until
try list metric; check "list metric" 0 acc_norm ece brier_score

data=${HONE_DATA:-../shared/data}
if [ -d $data/lm_eval ]; then
    while read -r task file; do
        try eval $model --task "$task" --data "$data/$file" --limit 2 --num-fewshot 0 --json
        # the tiny model's context holds only short items: what does not fit is told with its line
        if [ "$status" = 3 ]; then check "$task" 3 "longer than the model's context" ".jsonl:"
        elif [ "$status" = 0 ]; then check "$task" 0 "\"name\": \"$task\"" '"n": 2'
        else check "$task" 0 "$task"; fi
    done <<L
arc_easy lm_eval/arc_easy.jsonl
boolq lm_eval/boolq.jsonl
copa lm_eval/copa.jsonl
piqa lm_eval/piqa.jsonl
lambada_openai lm_eval/lambada_openai.jsonl
winograd_wsc lm_eval/winograd_wsc.jsonl
winogender lm_eval/winogender_mc_female.jsonl
dyck_languages lm_eval/bigbench_dyck_languages.jsonl
simple_arithmetic lm_eval/simple_arithmetic_nospaces.jsonl
L
    # SentencePiece's blank before the first token is not part of an answer
    try convert $data/stories260k/stories260K.bin "$tmp/stories"; check "a model of llama2.c" 0
    try eval "$tmp/stories" --task simple_arithmetic --data $data/lm_eval/simple_arithmetic_nospaces.jsonl --limit 8 --samples "$tmp/s.jsonl"; check "it answers" 0 exact_match
    if [ "$(wc -l < "$tmp/s.jsonl")" = 8 ] && ! grep -q '"generated": \[" ' "$tmp/s.jsonl"; then echo "ok no blank in front of answers"; else echo "not ok no blank in front of answers"; fi
else echo "skip the published items: they are not here"; fi
