#!/bin/sh
# Going on with a run by --resume alone: settings given at their default value in the first command stay given, and a recipe in
# a run folder does what the run did. What changed meanwhile is told, and nothing is lost.
hone=${HONE:-build/hone}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. "$(dirname "$0")/lib/check.sh"

awk 'BEGIN { srand(1); for (i = 0; i < 4000; i++) { s = ""; for (j = 0; j < 8; j++) s = s substr("abcdefghij", 1 + int(rand() * rand() * 10), 1 + int(rand() * 3)) " "; print s } }' > "$tmp/words.txt"
tiny="model.layers=1 model.width=16 model.heads=2 model.context=16 budget.seconds=4 improve.min_steps=5 improve.levers=lr"

# killed DIR ARGUMENT …: improve, killed as soon as its plan stands in the ledger.
killed() {
    dir=$1
    shift
    "$hone" improve "$@" out="$dir" --quiet > /dev/null 2>&1 & pid=$!
    n=0; while [ ! -s "$dir/recipe.yaml" ] && kill -0 $pid 2> /dev/null && [ $n -lt 400 ]; do sleep 0.05; n=$((n + 1)); done
    kill -9 $pid 2> /dev/null; wait $pid 2> /dev/null
}

# Given at its default: 0.1 is no accident here, since improve would hold out another share by itself.
# shellcheck disable=SC2086
killed "$tmp/imp" "$tmp/words.txt" $tiny improve.held_out=0.3 data.valid_fraction=0.1 data.split=auto
try improve --resume "$tmp/imp"; check "improve --resume: a share given at its default" 0 "LEVER" "sealed items" "going on with run 1"
try ledger list "$tmp/imp" --json; check "it was one run" 0 '"run": 1' '"state": "done"'; lacks "no second run" '"run": 2'

# Not given: the share that was decided stands in the recipe, so that the recipe alone repeats the run.
# shellcheck disable=SC2086
killed "$tmp/two" "$tmp/words.txt" $tiny improve.held_out=0.3
grep -q 'valid_fraction: 0.3$' "$tmp/two/recipe.yaml" && echo "ok the recipe says what was held out" || echo "not ok the recipe says what was held out: $(grep valid_fraction "$tmp/two/recipe.yaml")"

# The text changes behind the back of a run that is not done: said with the file's name, and the run is still there.
cp "$tmp/words.txt" "$tmp/kept.txt"
echo "one more line" >> "$tmp/words.txt"
try improve --resume "$tmp/two"; check "a text that changed" 3 "the text changed" "words.txt" "another out folder"
cp "$tmp/kept.txt" "$tmp/words.txt"
try improve --resume "$tmp/two"; check "the text restored" 0 "sealed items" "going on with run 1"

# A training from given weights: what it took from them stands in its recipe.
small="model.layers=1 model.heads=2 model.width=16 model.context=16 train.batch=4 sched.warmup=2 train.save_every=5"
# shellcheck disable=SC2086
try train data.train="$tmp/words.txt" $small model.dropout=0.2 train.steps=10 out="$tmp/base"; check "a model to start from" 0 "valid loss"
try train model="$tmp/base/best" data.train="$tmp/words.txt" train.steps=10 train.batch=4 train.save_every=5 data.tokenizer=char model.dropout=0 data.valid_fraction=0.1 out="$tmp/tuned"
check "train from it, with settings at their defaults" 0 "valid loss"
try train --resume "$tmp/tuned" train.steps=10; check "train --resume: settings given at their default" 0 "valid loss"
grep -q 'dropout: 0$' "$tmp/tuned/recipe.yaml" && echo "ok a dropout of 0 stays given" || echo "not ok a dropout of 0 stays given: $(grep dropout "$tmp/tuned/recipe.yaml")"
try train model="$tmp/base/best" data.train="$tmp/words.txt" train.steps=10 train.batch=4 train.save_every=5 out="$tmp/plain"; check "train from it, nothing given" 0 "valid loss"
grep -q 'dropout: 0.2$' "$tmp/plain/recipe.yaml" && echo "ok the recipe names the start's dropout" || echo "not ok the recipe names the start's dropout: $(grep dropout "$tmp/plain/recipe.yaml")"
try train --resume "$tmp/plain"; check "train --resume of it" 0 "valid loss"
try train "$tmp/plain/recipe.yaml" out="$tmp/again"; check "its recipe alone" 0 "valid loss"
cmp -s "$tmp/plain/best/model.safetensors" "$tmp/again/best/model.safetensors" && echo "ok its recipe repeats it bit for bit" || echo "not ok its recipe repeats it bit for bit: other weights"
