#!/bin/sh
# `hone data generate` from outside: what it writes, that splits do not meet, and what it refuses.
hone=${HONE:-build/hone}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
root=$(cd "$(dirname "$0")/../.." && pwd)

. "$root/tests/cli/lib/check.sh"

yes() { if eval "$2"; then echo "ok $1"; else echo "not ok $1"; fi; }

try list gym;                    check "list gym shows an example of each" 0 "arithmetic" ": 83+33=116"
try list gym --json;             check "list gym --json" 0 '"example": "83+33=116"'
try help gym arithmetic;         check "help gym: examples at each level" 0 "levels 1 … 8" "level 1, questions to train on: 4088" "level 8" "too many to count"
try data;                        check "data without a verb" 2 "needs a verb" "hone data VERB"
try data --help;                 check "data --help lists the verbs" 0 "Verbs:" "generate"
try data genrate;                check "unknown verb" 2 "did you mean 'generate'?"
try help data generate;          check "help data generate" 0 "Usage: hone data generate" "--split"
try list verb;                   check "list verb" 0 "generate"
try data generate;               check "generate without a task" 2 "which task?"
try data generate --task sorf;   check "unknown task" 2 "Did you mean 'sort'?"
try data generate --task sort,sort --n 4; check "a task twice" 2 "named twice"
try data generate --task sort --level 99; check "no such level" 2 "no level 99" "1 … 8"
try data generate --task sort --n 0;      check "no items" 2 "1 … 10000000"
try data generate --task sort --split tst; check "no such split" 2 "train|valid|screen|confirm|sealed"
try data generate --task sort extra;      check "an argument too many" 2 "'extra'"
try data generate --task arithmetic --level 1 --n 5000; check "more than there are" 2 "has 4088 questions in split train" "wanted 5000"
silent "more than there are: nothing on stdout" out
try data generate --task arithmetic --level 1 --n 5000 --out "$tmp/none.jsonl"; check "more than there are, to a file" 2 "4088"
yes "more than there are: no file" '[ ! -e "$tmp/none.jsonl" ]'
try data generate --task sort --n 3 --out "$tmp/no/such/x.jsonl"; check "a folder that is not there" 1 "x.jsonl"

try data generate --task all --n 500 --seed 3 --out "$tmp/mix.jsonl"; check "all tasks into a file" 0 "500 items of 14 tasks written to" "mix.jsonl"; silent "with --out stdout is empty" out
yes "as many lines as asked for" '[ "$(wc -l < "$tmp/mix.jsonl")" = 500 ]'
yes "every line has its five fields" '[ "$(grep -cE "^\{\"prompt\": \".+\", \"completion\": \".+\", \"task\": \"[a-z]+\", \"level\": [0-9]+, \"id\": \"[a-z]+-[0-9]+-[0-9a-f]{16}\"\}$" "$tmp/mix.jsonl")" = 500 ]'
for t in $("$hone" list gym | cut -d' ' -f1); do yes "$t is among all" 'grep -q "\"task\": \"$t\"" "$tmp/mix.jsonl"'; done
yes "ids differ" '[ "$(grep -o "\"id\": .*" "$tmp/mix.jsonl" | sort -u | wc -l)" = 500 ]'
try data generate --task all --n 500 --seed 3; yes "same seed, same bytes, on stdout" 'cmp -s "$tmp/out" "$tmp/mix.jsonl"'
try data generate --task all --n 500 --seed 4; yes "another seed, other items" '! cmp -s "$tmp/out" "$tmp/mix.jsonl"'
for s in train valid screen confirm sealed; do
    "$hone" data generate --task arithmetic --level 1 --n 200 --seed 5 --split $s | grep -o '"id": .*'
done > "$tmp/ids"
yes "splits do not meet" '[ "$(sort -u "$tmp/ids" | wc -l)" = 1000 ]'
"$hone" data generate --task sort --n 200000 --level 4 2> "$tmp/err" | head -c 10 > /dev/null; silent "a reader that goes away" err

# Trained on, asked, and refused.
try train data.train=gym:sort:1,gym:arithmetic:1 data.items=400 model.layers=1 model.heads=2 model.width=16 model.context=20 train.batch=8 train.steps=5 sched.warmup=1 out="$tmp/run"
check "train on gym tasks" 0
try eval "$tmp/run/best" --task gym:sort:1 --limit 20 --samples "$tmp/samples.jsonl"; check "eval on a gym task" 0 "gym_score" "exact_match" "gym:sort:1"
yes "the record says why an answer is wrong" 'grep -q "\"why\": \"wanted " "$tmp/samples.jsonl"'
try eval "$tmp/run/best" --task gym:sort:1 --limit 5 --repeats 3; check "answers by majority" 0 "majority"
try eval "$tmp/run/best" --task gym:arithmetic:1 --limit 1000; check "eval: more questions than there are" 2 "260 questions" "wanted 1000"
try eval "$tmp/run/best" --task gym:sort:8 --limit 2; check "eval: an answer longer than the context" 2 "longer than the model's context"
try eval "$tmp/run/best" --task gym:sorf; check "eval: unknown gym task" 2 "Did you mean 'sort'?"
try train data.train=gym:sort:1 model.context=8 out="$tmp/no"; check "train: an answer longer than the context" 2 "at most 8 tokens"
try improve data.train=gym:arithmetic:1 improve.items=900 out="$tmp/no"; check "improve: more questions than there are" 2 "248 questions"
"$hone" data generate --task sort --level 1 --n 300 --out "$tmp/items.jsonl"
try train data.train="$tmp/items.jsonl" model.layers=1 model.heads=2 model.width=16 model.context=20 train.batch=8 train.steps=5 sched.warmup=1 out="$tmp/run2"
check "train on prompts and completions" 0
