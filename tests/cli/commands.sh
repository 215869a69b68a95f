#!/bin/sh
# The command line from outside: help, what is refused, in which words, with which exit status, on which stream.
hone=${HONE:-build/hone}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
root=$(cd "$(dirname "$0")/../.." && pwd)

. "$root/tests/cli/lib/check.sh"

# ---- help ----
try --help;                     check "overview" 0 "Usage: hone COMMAND" improve train doctor --json; silent "help goes to stdout" err
try;                            check "no arguments" 2 "Usage: hone COMMAND"; silent "no arguments: nothing on stdout" out
for c in $("$hone" list cmd | cut -d' ' -f1); do
    try "$c" --help;            check "$c --help" 0 "Usage: hone $c" "--json" "--threads"
done
try train --help;               check "train --help shows keys" 0 train.steps=2000 optim.lr=1e-3 model.layers "with optim.name=adamw" "1 … "
try help train;                 check "help train" 0 "Usage: hone train"
try help optim adamw;           check "help of a member" 0 weight_decay
try help lever placebo;         check "help of a lever" 0 placebo
try help train steps;           check "help of a key" 0 "train.steps=2000"; lacks "help of a key: no other" "train.batch"
try help train optim.beta1;     check "help of a key of a variant" 0 "optim.beta1" "optim.name=adamw"
try help generate max-tokens;   check "help of a flag" 0 "--max-tokens=256"
try help train stepps;          check "help of no key" 2 "no recipe key 'stepps'" "hone help train"
try help nothing;               check "help of nothing" 2 "neither a command nor a kind"
try help optim adamx;           check "help of no member" 2 "Did you mean 'adamw'?"
try get --help;                 check "help of a command that makes no run" 0 "--max-wait"; lacks "help of a command that makes no run: no --out" "--out="
try --version;                  check "--version" 0 "hone 0." oneDNN SQLite
try version --json;             check "version --json" 0 '"version"' '"isa"'
try doctor;                     check "doctor" 0 memory threads "Not built in"
try doctor --json;              check "doctor --json" 0 '"memory_available_bytes"'
try list;                       check "list" 0 optim lever op
try list lever --json;          check "list lever --json" 0 '"placebo"'
try list levers;                check "list of no kind" 2 "Did you mean 'lever'?"

# ---- ledgers on a server ----
try improve improve.ledger=mysql://h/x out="$tmp/s"; check "a ledger that is no server's" 2 "improve.ledger" "postgresql://USER@HOST"
try ledger list 'postgresql://me:sea@horse@h/x'; [ "$status" = 2 ] && ! grep -q horse "$tmp/err" && echo "ok a password that cannot be told from a host" || echo "not ok a password that cannot be told from a host: $status $(cat "$tmp/err")"
try ledger list postgresql://me:horse@127.0.0.1:1/x; lacks "a server that is not there: no password" horse
if "$hone" version | grep -q '^without.*libpq'; then check "a ledger on a server, without libpq" 2 "libpq-dev"
else check "a server that is not there" 1 "cannot connect" "me@127.0.0.1:1/x"; fi

# ---- the command line ----
try trian;                      check "unknown command" 2 "unknown command 'trian'" "Did you mean 'train'?"; silent "errors leave stdout empty" out
try list --jsont;              check "a flag near to none" 2 "--jsont" "Did you mean '--json'?"
try list --verbose;             check "a flag that is nothing like ours" 2 "unknown flag" "hone list --help"; lacks "a flag that is nothing like ours: no odd guess" "Did you mean"
try list --jsno;                check "unknown flag" 2 "--jsno" "Did you mean '--json'?"
try generate m --max-tokns 3;   check "mistyped flag" 2 "Did you mean '--max-tokens'?"
try generate m --max-tokens 0;  check "flag out of bounds" 2 "--max-tokens" "wanted an integer, 1 …" "found '0'"
try generate m --max-tokens;    check "flag without value" 2 "--max-tokens needs a value"
try generate m --prompt --json; check "flag instead of value" 2 "--prompt needs a value" "--prompt=TEXT"
try train --steps 3;            check "a key given as a flag" 2 "train.steps=VALUE"
try -x;                         check "unknown short flag" 2 "'-x'"
try list --device tpu;          check "unknown device" 2 "cpu|cuda"
try list --device cuda;         check "device cuda" 2 "no CUDA"
try train device=cuda;          check "device=cuda" 2 "no CUDA"
try list --threads -1;          check "threads out of bounds" 2 "0 … 1024"
try eval;                       check "eval without a model" 2 "which model?" "hone eval MODEL"
try score m;                    check "score without a text" 2 "--text or --file"
try ledger shwo runs/x;         check "ledger verb" 2 "did you mean 'show'?"

# ---- recipes ----
printf 'train:\n  steps: 10\nmodle:\n  layers: 3\n' > "$tmp/typo.yaml"
try train "$tmp/typo.yaml";     check "unknown key" 2 "typo.yaml:4" "unknown key 'modle.layers'" "Did you mean 'model.layers'?"
printf 'train:\n  steps: -1\n' > "$tmp/bounds.yaml"
try train "$tmp/bounds.yaml";   check "out of bounds" 2 "bounds.yaml:2" "train.steps" "0 … 1" "'-1'"
printf 'train:\n  steps: [1\n' > "$tmp/broken.yaml"
try train "$tmp/broken.yaml";   check "broken YAML" 2 "broken.yaml:3:1" "broken YAML"
printf 'optim: {name: adamx}\n' > "$tmp/member.yaml"
try train "$tmp/member.yaml";   check "unknown member" 2 "member.yaml:1" "optim.name" "Did you mean 'adamw'?"
try train "$tmp/none.yaml";     check "missing recipe" 2 "none.yaml" "no such file or folder"
try train train.stps=3;         check "unknown key on the command line" 2 "command line" "Did you mean 'train.steps'?"
try train improve.alpha=0.1;    check "key of another command" 2 "unknown key 'improve.alpha'"
try train;                      check "no data" 2 "'data.train' is missing"
try improve model="$tmp";       check "a model but no text" 2 "'data.train' is missing"

# ---- files ----
try train data.train="$tmp/no.txt" out="$tmp/r1"; check "missing text" 3 "no.txt"
: > "$tmp/empty.txt"
try train data.train="$tmp/empty.txt" out="$tmp/r2"; check "empty text" 3 "empty.txt"
head -c 5000 /dev/zero > "$tmp/zero.txt"
try train data.train="$tmp/zero.txt" out="$tmp/r3"; check "all-zero text" 3 "zero.txt"
printf 'some text \377 here\n' > "$tmp/bad.txt"
try train data.train="$tmp/bad.txt" out="$tmp/r4"; check "invalid UTF-8" 3 "bad.txt" "10"
echo short > "$tmp/short.txt"
try train data.train="$tmp/short.txt" out="$tmp/r5"; check "too short a text" 3 "text"
for r in r1 r2 r3 r4 r5; do [ -e "$tmp/$r/checkpoint" ] && echo "not ok a refused text leaves no run: $r"; done
try info "$tmp/no-model";       check "missing model" 3 "no-model"
mkdir "$tmp/foreign"; echo '{}' > "$tmp/foreign/config.json"
try info "$tmp/foreign";        check "foreign model" 3 "config.json"
try ledger show "$tmp";         check "no ledger" 3 "ledger"
echo 'not a database, not at all, by no means whatever' > "$tmp/ledger.sqlite"
try ledger show "$tmp";         check "a ledger that is none" 3 "ledger.sqlite"

# ---- a small training, and all that follows ----
i=0; while [ $i -lt 300 ]; do echo "line $i: the cat sat on mat $((i * 7919 % 101)) and saw $((i * 104729 % 89))"; i=$((i + 1)); done > "$tmp/text.txt"
small="model.layers=1 model.heads=2 model.width=16 model.context=16 train.batch=4 sched.warmup=2"
# shellcheck disable=SC2086
try train data.train="$tmp/text.txt" $small train.steps=20 out="$tmp/run" --json; check "train --json" 0 '"step": 20' '"valid_loss"' '"bits_per_byte"' '"accuracy": 0.' '"peak_rss_bytes"' '"out"'
[ "$(wc -l < "$tmp/out")" = 1 ] && echo "ok train: one line on stdout" || echo "not ok train: one line on stdout: $(cat "$tmp/out")"
for f in recipe.yaml log.jsonl best/config.json best/model.safetensors best/tokenizer.json; do
    [ -s "$tmp/run/$f" ] && echo "ok train writes $f" || echo "not ok train writes $f"
done
try train "$tmp/run/recipe.yaml"; check "a folder is never overwritten" 2 "already holds a run" "--resume"
try train --resume "$tmp/run" --json; check "resume of a finished run" 0 '"step": 20'
try train "$tmp/run/recipe.yaml" out="$tmp/again" --quiet --threads 1; check "the written recipe runs" 0 "valid loss"
silent "--quiet is quiet" err
cmp -s "$tmp/run/best/model.safetensors" "$tmp/again/best/model.safetensors" && echo "ok same seed, same bits" || echo "not ok same seed, same bits: weights differ"
try train "$tmp/run/recipe.yaml" out="$tmp/plan" --plan; check "--plan" 0 parameters weights peak
[ -e "$tmp/plan" ] && echo "not ok --plan writes nothing: $(ls "$tmp/plan")" || echo "ok --plan writes nothing"
m=$tmp/run/best
try info "$m";                  check "info for people" 0 "layers       1"; lacks "info for people: no rows of nothing" "dropout"
try generate "$m";              check "generate without a prompt" 2 "--prompt TEXT" "stdin"
try eval "$m" "$m";             check "eval of two models" 2 "is a model" "--against"
if [ "${SAN:-}" = qemu ]; then echo "skip a recipe of the installation: hone is a script here that starts it in qemu"
else
    mkdir -p "$tmp/prefix/bin" "$tmp/prefix/share/hone/recipes" && cp "$hone" "$tmp/prefix/bin/hone" && printf 'train: {steps: 3}\n' > "$tmp/prefix/share/hone/recipes/three.yaml"
    # shellcheck disable=SC2086
    "$tmp/prefix/bin/hone" train recipes/three.yaml data.train="$tmp/text.txt" $small out="$tmp/three" --json > "$tmp/out" 2> "$tmp/err"; status=$?
    check "a recipe of the installation" 0 '"step": 3'
    [ "$(grep -c 'sched.warmup is' "$tmp/err")" -le 1 ] && echo "ok told once" || echo "not ok told once: $(cat "$tmp/err")"
fi
try info "$m" --json;           check "info" 0 '"arch": "gpt2"' '"layers": 1' '"context": 16' '"parameters"' '"bytes"'
try generate "$m" --prompt "line 1" --max-tokens 12 --seed 3 --json; check "generate --json" 0 '"text"' '"tokens": 12' '"finish_reason": "length"'
cp "$tmp/out" "$tmp/g1"
try generate "$m" --prompt "line 1" --max-tokens 12 --seed 3 --json --threads 1
[ "$(sed 's/tokens_per_second.*finish/finish/' "$tmp/g1")" = "$(sed 's/tokens_per_second.*finish/finish/' "$tmp/out")" ] && echo "ok generate: same seed, same text" || echo "not ok generate: same seed, same text"
try generate "$m" --prompt "line é"; check "a prompt outside the alphabet" 3 "offset"
try score "$m" --text "the cat" --json; check "score --json" 0 '"logprobs": [null, -' '"sum"' '"bits_per_byte"'
try eval "$m" --data "$tmp/text.txt" --json; check "eval --json" 0 '"metric": "bits_per_byte"' '"stderr"' '"higher_is_better": false' '"perplexity"' '"accuracy": 0.'
try eval "$m" --data "$tmp/text.txt" --against "$tmp/again/best" --json; check "eval --against" 0 '"difference": 0.0' '"against_accuracy": 0.' '"ci95"' '"p_value"' '"test"'
try eval "$m" --data "$tmp/none.txt"; check "eval of no file" 3 "none.txt"
printf 'the cat\nsat\n' > "$tmp/in"
"$hone" tokenize "$m" --lines < "$tmp/in" > "$tmp/ids"; [ "$(wc -l < "$tmp/ids")" = 2 ] && echo "ok tokenize --lines" || echo "not ok tokenize --lines: $(cat "$tmp/ids")"
"$hone" tokenize "$m" --lines --decode < "$tmp/ids" | cmp -s - "$tmp/in" && echo "ok tokenize --lines --decode" || echo "not ok tokenize --lines --decode"
"$hone" tokenize "$m" < "$tmp/text.txt" | "$hone" tokenize "$m" --decode | cmp -s - "$tmp/text.txt" && echo "ok tokenize and back" || echo "not ok tokenize and back"
echo "1 2 99999999999" | "$hone" tokenize "$m" --decode > "$tmp/out" 2> "$tmp/err"; status=$?; check "an id that is none" 3 "stdin: offset 4" "wanted 0 …"
echo "1 x" | "$hone" tokenize "$m" --decode > "$tmp/out" 2> "$tmp/err"; status=$?; check "a word among ids" 3 "stdin: offset 2"

# ---- streams ----
"$hone" tokenize "$m" < "$tmp/text.txt" > /dev/full 2> "$tmp/err"; status=$?; : > "$tmp/out"; check "a full disk behind stdout" 1 "stdout"
"$hone" tokenize "$m" --lines < "$tmp/text.txt" 2> "$tmp/err" | head -c 10 > /dev/null; silent "a reader that goes away" err
"$hone" list op >&-; status=$?; check "stdout closed" 0
"$hone" tokenize "$m" <&- > "$tmp/out" 2> "$tmp/err"; status=$?; check "stdin closed" 0

# Two programs, one folder: the second is turned away.
# shellcheck disable=SC2086
"$hone" train data.train="$tmp/text.txt" $small train.steps=100000000 out="$tmp/busy" > /dev/null 2>&1 & pid=$!
n=0; while [ ! -e "$tmp/busy/log.jsonl" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
# shellcheck disable=SC2086
try train data.train="$tmp/text.txt" $small train.steps=5 out="$tmp/busy"; check "two runs into one folder" 1 "$pid"
kill -TERM $pid; wait $pid; status=$?; : > "$tmp/out"; check "SIGTERM: saved, exit 130" 130
[ -s "$tmp/busy/checkpoint/state.safetensors" ] && echo "ok SIGTERM: checkpoint is there" || echo "not ok SIGTERM: checkpoint is there"
# The terminal closes: as SIGTERM, unless whoever started it wants that ignored.
ignored=$(sed -n 's/^SigIgn:.*\(.\)$/\1/p' /proc/self/status)
case $ignored in
1|3|5|7|9|b|d|f) echo "ok SIGHUP: ignored here, left alone" ;;
*)
    # shellcheck disable=SC2086
    "$hone" train data.train="$tmp/text.txt" $small train.steps=100000000 out="$tmp/hung" > /dev/null 2> "$tmp/err" & pid=$!
    n=0; while [ ! -e "$tmp/hung/log.jsonl" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
    kill -HUP $pid; wait $pid; status=$?; : > "$tmp/out"; check "SIGHUP: saved, exit 130" 130 "--resume" ;;
esac
# What cannot be read: an input is status 3, a recipe 2.
mkdir -p "$tmp/folder.yaml" "$tmp/pipes"; cp "$m"/* "$tmp/pipes"; rm -f "$tmp/pipes/model.safetensors"; mkfifo "$tmp/pipes/model.safetensors"
head -c 2000000 /dev/zero | tr '\0' '#' > "$tmp/large.yaml"
try train "$tmp/folder.yaml";             check "a recipe that is a folder" 2 "It is a folder; name a file."
try train "$tmp/large.yaml";              check "a recipe too large" 2 "wanted at most 1048576 bytes"
try score "$m" --file "$tmp/none";        check "no file to score" 3 "no such file or folder"
try score "$m" --file "$tmp";             check "a folder to score" 3 "It is a folder; name a file."
try info "$tmp/pipes";                    check "a pipe in a model folder" 3 "not a regular file"
# One recipe for several commands: sections that others take are no error.
try train "$root/recipes/text.yaml" data.train="$tmp/text.txt" $small --plan; check "a recipe of improve, for train" 0 parameters
# improve: killed, it goes on by --resume with the recipe that it had, and by the same command.
tiny="model.layers=1 model.width=16 model.heads=2 model.context=16 budget.seconds=4 improve.min_steps=5 improve.levers=lr"
awk 'BEGIN { srand(1); for (i = 0; i < 4000; i++) { s = ""; for (j = 0; j < 8; j++) s = s substr("abcdefghij", 1 + int(rand() * rand() * 10), 1 + int(rand() * 3)) " "; print s } }' > "$tmp/words.txt"
# shellcheck disable=SC2086
"$hone" improve "$tmp/words.txt" $tiny out="$tmp/imp" --quiet > /dev/null 2>&1 & pid=$!
n=0; while [ ! -s "$tmp/imp/recipe.yaml" ] && kill -0 $pid 2> /dev/null && [ $n -lt 200 ]; do sleep 0.05; n=$((n + 1)); done
kill -9 $pid 2> /dev/null; wait $pid 2> /dev/null
cp "$tmp/imp/recipe.yaml" "$tmp/imp-recipe" 2> /dev/null
try improve --resume "$tmp/imp"; check "improve --resume" 0 "LEVER" placebo "sealed items" "guessed right"
cmp -s "$tmp/imp/recipe.yaml" "$tmp/imp-recipe" && echo "ok improve --resume keeps the recipe" || echo "not ok improve --resume keeps the recipe: it differs"
try ledger list "$tmp/imp" --json; check "one run in the ledger" 0 '"run": 1' '"state": "done"'
grep -q '"run": 2' "$tmp/out" && echo "not ok improve --resume begins no second run" || echo "ok improve --resume begins no second run"
try ledger show "$tmp/imp"; check "ledger show" 0 placebo
try report "$tmp/imp" --format md; check "report --format md" 0 "| lever |"
try report "$tmp/imp" --format svg; check "report --format svg" 0 "<svg"
try report "$tmp/imp"; check "report" 0 "report.html"
try report "$tmp/imp" "$tmp/imp/" --format md; check "report of two runs as md" 0 "| end |" "| difference |" "| lever |" "Recipes: the same."
try report "$tmp/imp" "$tmp/imp/"; check "report of two runs" 0 "report-against-imp.html"; [ -s "$tmp/imp/report-against-imp.html" ] && echo "ok report of two runs is written" || echo "not ok report of two runs is written"
try report "$tmp/imp" "$tmp/none"; check "report of two runs, one missing" 3 "no such file or folder" "none"
try report "$tmp/imp" "$tmp/imp" --format svg; check "two runs as svg" 2 "html or md"
try report "$tmp/imp" "$tmp/imp" "$tmp/imp"; check "report of three runs" 2 "two to compare"
try ledger show "$tmp/imp" --run 7; check "a run that is none" 2 "run 7 is not in this ledger"
