#!/bin/sh
# When things go wrong: disks that are full or read-only, files that are cut off, foreign or lie, rows that cannot be read, numbers
# that are none. Each case sees the message, the exit status, and that nothing was lost. What is refused before any work begins
# (recipes, keys, texts) stands in commands.sh; a plan larger than memory in plan.sh.
hone=${HONE:-build/hone}
tmp=$(mktemp -d) || exit 1
full=
trap 'test -z "$full" || umount "$full"; chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
. "$(dirname "$0")/lib/check.sh"

# sums DIR: what is in it, file by file. same NAME DIR SUMS: it is still that.
sums() { (cd "$1" && find . -type f ! -name log.jsonl ! -name .lock -exec cksum {} + | sort); }
same() { if [ "$(sums "$2")" = "$3" ]; then echo "ok $1"; else echo "not ok $1: $(sums "$2" | tr '\n' ' ') was $3"; fi; }
absent() { if [ -e "$2" ]; then echo "not ok $1: $2 is there"; else echo "ok $1"; fi; }

i=0; while [ $i -lt 300 ]; do echo "line $i: the cat sat on mat $((i * 7919 % 101)) and saw $((i * 104729 % 89))"; i=$((i + 1)); done > "$tmp/text.txt"
small="model.layers=1 model.heads=2 model.width=16 model.context=16 train.batch=4 sched.warmup=2 train.save_every=5"
awk 'BEGIN { srand(1); for (i = 0; i < 4000; i++) { s = ""; for (j = 0; j < 8; j++) s = s substr("abcdefghij", 1 + int(rand() * rand() * 10), 1 + int(rand() * 3)) " "; print s } }' > "$tmp/words.txt"
# train ARGUMENT …: a small training of the text.
train() {
    # shellcheck disable=SC2086
    try train data.train="$tmp/text.txt" $small "$@"
}
train train.steps=20 out="$tmp/run"; check "a run to work with" 0 "valid loss"
kept=$(sums "$tmp/run")

# ---- an instruction set that this CPU lacks, or that is none: nothing is computed with another in its stead ----
HONE_ISA=avx9; export HONE_ISA
train train.steps=5 out="$tmp/isa"; check "HONE_ISA of no instruction set" 2 "HONE_ISA=avx9" "plain|avx2|avx512"
absent "HONE_ISA of no instruction set: nothing was trained" "$tmp/isa/checkpoint"
try doctor; check "HONE_ISA of no instruction set: doctor tells it" 0 "HONE_ISA=avx9"
unset HONE_ISA
if "$hone" version | grep -q '^isa  *avx512bf16'; then echo "skip an instruction set that the CPU lacks: it has all"
else
    HONE_ISA=avx512bf16; export HONE_ISA
    train train.steps=5 out="$tmp/isa"; check "an instruction set that the CPU lacks" 2 "HONE_ISA=avx512bf16: this CPU has at most"
    try generate "$tmp/run/best" --prompt "the cat" --max-tokens 3; check "an instruction set that the CPU lacks: generate" 2 "this CPU has at most"; silent "and no text" out
    unset HONE_ISA
fi

# ---- memory that is refused, wherever it is asked for ----
for n in 1 3 10 40 160 640; do
    HONE_FAULT=alloc:$n; export HONE_FAULT
    train train.steps=5 out="$tmp/refused"; unset HONE_FAULT
    check "allocation $n is refused" 1 "memory"
    rm -rf "$tmp/refused"
done

# ---- a folder that may not be written: root may write anywhere, so root becomes another for these ----
as=
if [ "$(id -u)" = 0 ]; then
    if command -v setpriv > /dev/null; then as="setpriv --reuid=65534 --regid=65534 --clear-groups"
    elif command -v runuser > /dev/null; then as="runuser -u nobody --"
    else as=none; fi
fi
cp "$hone" "$tmp/hone"                                          # where another user can read it
chmod 755 "$tmp" "$tmp/hone"
# shellcheck disable=SC2086
if [ "$as" = none ] || ! $as "$tmp/hone" --version > /dev/null 2>&1; then
    echo "skip read-only folders: cannot run as a user who may not write everywhere"
else
    own=$hone
    hone="$as $tmp/hone"
    try() { $hone "$@" > "$tmp/out" 2> "$tmp/err" < /dev/null; status=$?; }
    mkdir "$tmp/ro"
    chmod -R a-w,a+rX "$tmp/ro" "$tmp/run"
    train train.steps=5 out="$tmp/ro/x"; check "train into a read-only folder" 1 "ro/x" "Permission denied"
    absent "nothing was begun there" "$tmp/ro/x"
    try improve "$tmp/text.txt" budget.seconds=4 out="$tmp/ro/y"; check "improve into a read-only folder" 1 "ro/y" "Permission denied"
    try train --resume "$tmp/run" train.steps=40; check "going on in a read-only run" 1 "run" "Permission denied"
    same "the run is as it was" "$tmp/run" "$kept"
    try report "$tmp/run" --to "$tmp/ro/r.html"; [ "$status" != 0 ] && echo "ok a report of no run into a read-only folder" || echo "not ok a report of no run into a read-only folder"
    chmod -R u+w "$tmp/ro" "$tmp/run"
    hone=$own
    try() { "$hone" "$@" > "$tmp/out" 2> "$tmp/err" < /dev/null; status=$?; }
fi

# ---- a disk that is full: a small one of memory where we may mount it; else a limit on file sizes stands for it ----
# killed DIR: a training of 2000 steps that a kill ended soon after its first checkpoint.
killed() {
    # shellcheck disable=SC2086
    "$hone" train data.train="$tmp/text.txt" $small train.save_every=50 train.steps=2000 out="$1" --quiet > /dev/null 2>&1 & pid=$!
    n=0; while [ ! -s "$1/checkpoint/state.safetensors" ] && kill -0 $pid 2> /dev/null && [ $n -lt 2000 ]; do sleep 0.01; n=$((n + 1)); done
    kill -9 $pid 2> /dev/null; wait $pid 2> /dev/null
}
mkdir "$tmp/disk"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=2m tmpfs "$tmp/disk" 2> /dev/null; then
    full=$tmp/disk
    killed "$tmp/disk/x"
    kept_x=$(sums "$tmp/disk/x")
    cat /dev/zero > "$tmp/disk/filler" 2> /dev/null
    try train --resume "$tmp/disk/x"; check "the disk is full: going on" 1 "No space left on device" "disk/x"
    same "the disk is full: the run is as it was" "$tmp/disk/x" "$kept_x"
    train train.steps=10 out="$tmp/disk/y"; check "the disk is full: a new training" 1 "No space left on device" "disk/y"
    absent "the disk is full: no half checkpoint" "$tmp/disk/y/checkpoint/state.safetensors"
    tiny="model.layers=1 model.width=16 model.heads=2 model.context=16 budget.seconds=3 improve.min_steps=5 improve.levers=lr"
    # shellcheck disable=SC2086
    try improve "$tmp/words.txt" $tiny out="$tmp/disk/z"; check "the disk is full: improve" 1 "disk"
    rm "$tmp/disk/filler"
    # shellcheck disable=SC2086
    try improve "$tmp/words.txt" $tiny out="$tmp/disk/z"; check "space again: improve" 0 "sealed items"
    try train --resume "$tmp/disk/x"; check "space again: going on" 0 "valid loss"
else echo "skip a full disk: no small one can be mounted here"; fi
killed "$tmp/cut"
kept_cut=$(sums "$tmp/cut")
(ulimit -f 4; "$hone" train --resume "$tmp/cut" > "$tmp/out" 2> "$tmp/err" < /dev/null); status=$?
check "a file that may not grow" 1 "File too large" "cut/checkpoint"
same "a file that may not grow: the run is as it was" "$tmp/cut" "$kept_cut"
try train --resume "$tmp/cut" train.steps=4000; check "going on with other settings" 2 "another train.steps"
same "going on with other settings: the run is as it was" "$tmp/cut" "$kept_cut"
try train --resume "$tmp/cut"; check "and then with its own" 0 "valid loss"

# ---- model files that are cut off, foreign, or lie ----
# model: a fresh copy of a good one to spoil. refused NAME WORD …: info, eval and training from it say so with status 3.
numbers=
model() { rm -rf "$tmp/m"; cp -r "$tmp/run/best" "$tmp/m"; }
refused() {
    name=$1
    shift
    before=$(sums "$tmp/m")
    [ "$numbers" ] || { try info "$tmp/m"; check "$name: info" 3 "$@"; }     # info reads no weights
    try eval "$tmp/m" --data "$tmp/text.txt"; check "$name: eval" 3 "$@"
    try train model="$tmp/m" data.train="$tmp/text.txt" train.steps=5 out="$tmp/from"; check "$name: train from it" 3 "$@"
    absent "$name: no run was begun" "$tmp/from/checkpoint"
    same "$name: the files are as they were" "$tmp/m" "$before"
}
size=$(wc -c < "$tmp/run/best/model.safetensors")
model; head -c $((size - 5)) "$tmp/run/best/model.safetensors" > "$tmp/m/model.safetensors"; refused "weights cut off at the end" "model.safetensors"
model; head -c 100 "$tmp/run/best/model.safetensors" > "$tmp/m/model.safetensors"; refused "weights cut off in the header" "model.safetensors"
model; : > "$tmp/m/model.safetensors"; refused "weights of no bytes" "model.safetensors"
model; head -c 5000 /dev/zero > "$tmp/m/model.safetensors"; refused "weights of zeros" "model.safetensors"
model; head -c 1024 "$tmp/text.txt" > "$tmp/m/model.safetensors"; refused "a text for weights" "model.safetensors"
model; { printf '\000\000\000\000\001\000\000\000'; head -c 1016 /dev/zero; } > "$tmp/m/model.safetensors"
([ -n "${SAN-}" ] || ulimit -v 4000000; "$hone" info "$tmp/m" > "$tmp/out" 2> "$tmp/err"); status=$?; check "a header of 4 GiB in a file of 1 KB" 3 "model.safetensors" "header"
model; sed 's/"n_embd": 16/"n_embd": 1600000000/' "$tmp/run/best/config.json" > "$tmp/m/config.json"; refused "a width of 1600000000" "m/"
model; sed 's/"vocab_size": [0-9]*/"vocab_size": 4294967295/' "$tmp/run/best/config.json" > "$tmp/m/config.json"; refused "a vocabulary of 4294967295" "m/"
model; head -c 40 "$tmp/run/best/config.json" > "$tmp/m/config.json"; refused "a config.json cut off" "config.json"
model; echo '{"model_type": "chess"}' > "$tmp/m/config.json"; refused "the config.json of another kind of model" "chess"
model; head -c 60 "$tmp/run/best/tokenizer.json" > "$tmp/m/tokenizer.json"; before=$(sums "$tmp/m")
try eval "$tmp/m" --data "$tmp/text.txt"; check "a tokenizer.json cut off" 3 "tokenizer.json"; same "a tokenizer.json cut off: as it was" "$tmp/m" "$before"

# ---- a checkpoint that was damaged ----
cp -r "$tmp/run" "$tmp/torn"; printf 'XX' | dd of="$tmp/torn/checkpoint/state.safetensors" bs=1 seek=$(($(wc -c < "$tmp/torn/checkpoint/state.safetensors") / 2)) conv=notrunc 2> /dev/null
best=$(sums "$tmp/torn/best")
try train --resume "$tmp/torn"; check "a damaged checkpoint" 3 "checkpoint" "damaged" "start the training anew"
same "a damaged checkpoint: the model is as it was" "$tmp/torn/best" "$best"

# ---- numbers that are none, or become so ----
# last N BYTES: the last N weights become this float.
last() { seq "$1" | while read -r _; do printf '%b' "$2"; done | dd of="$tmp/m/model.safetensors" bs=1 seek=$((size - 4 * $1)) conv=notrunc 2> /dev/null; }
model; last 1 '\0000\0000\0300\0177'; numbers=1; refused "a weight that is no number" "not finite" "NaN at element"; numbers=
model; last 300 '\0231\0166\0226\0176'                         # 1e38, numbers still
before=$(sums "$tmp/m")
try train model="$tmp/m" data.train="$tmp/text.txt" train.steps=5 out="$tmp/nan"
check "a training that overflows" 1 "not a finite number" "first seen in" "step" "optim.lr"
absent "a training that overflows: no model is written" "$tmp/nan/best/model.safetensors"
same "a training that overflows: its start is as it was" "$tmp/m" "$before"

# ---- more than there is room for ----
try improve "$tmp/words.txt" model.width=16384 model.layers=64 budget.seconds=4 out="$tmp/huge"; check "improve beyond memory" 1 "larger than memory" "MB" "improve.side_by_side"
absent "improve beyond memory: nothing was trained" "$tmp/huge/start"

# ---- two into one folder ----
"$hone" improve "$tmp/words.txt" model.width=32 budget.seconds=60 out="$tmp/busy" > /dev/null 2>&1 & pid=$!
n=0; while [ ! -s "$tmp/busy/recipe.yaml" ] && kill -0 $pid 2> /dev/null && [ $n -lt 400 ]; do sleep 0.05; n=$((n + 1)); done
try improve "$tmp/words.txt" budget.seconds=4 out="$tmp/busy"; check "two improves into one folder" 1 "$pid" "busy"
train train.steps=5 out="$tmp/busy"; check "a training into the folder of an improve" 1 "$pid" "busy"
kill -TERM $pid; wait $pid; status=$?; : > "$tmp/out"; check "the first was not disturbed" 130
try ledger list "$tmp/busy"; check "and has one run in its ledger" 0 "1 "

# ---- rows that cannot be read ----
{ echo '{"text": "the cat sat on the mat"}'; echo '{"text": "cut off'; echo '{"body": "no text"}'; printf '{"text": "bad \377 byte"}\n'; sed 's/.*/{"text": "&"}/' "$tmp/text.txt"; } > "$tmp/rows.jsonl"
# shellcheck disable=SC2086
try train data.train="$tmp/rows.jsonl" $small train.steps=5 out="$tmp/rows"; check "bad rows are told" 0 "3 of 304 rows set aside; the first is line 2" "set-aside.jsonl"
cp "$tmp/rows/set-aside.jsonl" "$tmp/out"; check "bad rows stand in a file" 0 '"line": 2, "why": "not JSON' '"line": 3, "why": "no \"text\""' '"line": 4' "rows.jsonl"
[ "$(wc -l < "$tmp/out")" = 3 ] && echo "ok a line for each of them" || echo "not ok a line for each of them: $(cat "$tmp/out")"
absent "no bad rows, no such file" "$tmp/run/set-aside.jsonl"
head -3 "$tmp/rows.jsonl" | tail -2 > "$tmp/none.jsonl"
# shellcheck disable=SC2086
try train data.train="$tmp/none.jsonl" $small train.steps=5 out="$tmp/none"; check "no good row at all" 3 "none.jsonl:1" "none of the 2 rows"
absent "no good row at all: no run" "$tmp/none/checkpoint"
