#!/bin/sh
# When the ledger goes wrong: written by a newer hone, damaged, cut off, foreign, on a disk that fills up while the run goes on; and a
# lever that fails in the middle of a run. Each case sees the message, the exit status, and that nothing was lost.
hone=${HONE:-build/hone}
tmp=$(mktemp -d) || exit 1
full=
trap 'test -z "$full" || umount "$full"; rm -rf "$tmp"' EXIT
. "$(dirname "$0")/lib/check.sh"

sums() { (cd "$1" && find . -type f ! -name log.jsonl ! -name .lock ! -name '*-shm' ! -name '*-wal' -exec cksum {} + | sort); }
same() { if [ "$(sums "$2")" = "$3" ]; then echo "ok $1"; else echo "not ok $1: $(sums "$2" | tr '\n' ' ') was $3"; fi; }

awk 'BEGIN { srand(1); for (i = 0; i < 3000; i++) { s = ""; for (j = 0; j < 8; j++) s = s substr("abcdefghij", 1 + int(rand() * rand() * 10), 1 + int(rand() * 3)) " "; print s } }' > "$tmp/words.txt"
tiny="model.layers=1 model.width=16 model.heads=2 model.context=16 budget.steps=6 improve.tune=false improve.levers=lr improve.screen_seeds=1 improve.confirm_seeds=2 improve.held_out_bytes=12000 sched.warmup=1"
# improve DIR ARGUMENT …: the tiny run into DIR.
improve() {
    dir=$1
    shift
    # shellcheck disable=SC2086
    try improve "$tmp/words.txt" $tiny "$@" out="$dir"
}
improve "$tmp/run"; check "a run to work with" 0 "sealed items"

# ---- files that are no ledger of ours, or no longer ----
# spoilt: a fresh copy of the run to spoil. refused NAME WORD …: show, report and improve say so with status 3 and leave all as it is.
spoilt() { rm -rf "$tmp/x"; cp -r "$tmp/run" "$tmp/x"; rm -f "$tmp/x/report.html"; }
refused() {
    of=$1
    shift
    before=$(sums "$tmp/x")
    try ledger show "$tmp/x"; check "$of: ledger show" 3 "ledger.sqlite" "$@"
    try report "$tmp/x"; check "$of: report" 3 "ledger.sqlite" "$@"
    improve "$tmp/x"; check "$of: improve" 3 "ledger.sqlite" "$@"
    same "$of: the folder is as it was" "$tmp/x" "$before"
}
size=$(wc -c < "$tmp/run/ledger.sqlite")
spoilt; LC_ALL=C sed 's/version1/version9/' "$tmp/run/ledger.sqlite" > "$tmp/x/ledger.sqlite"; refused "a ledger of a newer hone" "newer hone" "version 9" "another out folder"
spoilt; head -c 3000 "$tmp/words.txt" > "$tmp/x/ledger.sqlite"; refused "a text for a ledger" "not a database"
spoilt; { head -c 512 /dev/zero; tail -c +513 "$tmp/run/ledger.sqlite"; } > "$tmp/x/ledger.sqlite"; refused "a ledger whose head is gone" "damaged"
spoilt; head -c $((size / 2)) "$tmp/run/ledger.sqlite" > "$tmp/x/ledger.sqlite"; refused "a ledger cut in half" "damaged"
# Anything may be damaged: no command crashes on it, and none changes the model.
best=$(sums "$tmp/run/best")
i=0; crashed=
while [ $i -lt 8 ]; do
    spoilt
    head -c 200 "$tmp/words.txt" | dd of="$tmp/x/ledger.sqlite" bs=1 seek=$((size * (2 * i + 1) / 16)) conv=notrunc 2> /dev/null
    try ledger show "$tmp/x"; [ "$status" -le 3 ] || crashed="$crashed show:$i:$status"
    try report "$tmp/x"; [ "$status" -le 3 ] || crashed="$crashed report:$i:$status"
    i=$((i + 1))
done
[ -z "$crashed" ] && echo "ok a ledger damaged anywhere crashes nothing" || echo "not ok a ledger damaged anywhere crashes nothing:$crashed"
same "a ledger damaged anywhere: the model is as it was" "$tmp/x/best" "$best"

# ---- a disk that refuses in the middle: the run ends, and the same command goes on with it ----
# The n-th write fails.
for n in 14 70; do
    HONE_FAULT=write:$n; export HONE_FAULT
    improve "$tmp/fault$n"; unset HONE_FAULT
    check "write $n is refused" 1 "Free some space"
    before=$("$hone" ledger list "$tmp/fault$n" --json 2> /dev/null | grep -o '"measurements": *[0-9]*' | grep -o '[0-9]*$')
    improve "$tmp/fault$n"; check "write $n is refused: and again" 0 "sealed items"
    try ledger list "$tmp/fault$n" --json; check "write $n is refused: one run, and it is done" 0 '"state": "done"'
    lacks "write $n is refused: no second run" '"run": 2'
    after=$(grep -o '"measurements": *[0-9]*' "$tmp/out" | grep -o '[0-9]*$')
    [ "${after:-0}" -gt "${before:-0}" ] && echo "ok write $n is refused: what was measured stayed" || echo "not ok write $n is refused: $before measurements, then $after"
done
mkdir "$tmp/disk"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=3m tmpfs "$tmp/disk" 2> /dev/null; then
    full=$tmp/disk
    # shellcheck disable=SC2086
    "$hone" improve "$tmp/words.txt" $tiny budget.steps=250 out="$tmp/disk/x" > "$tmp/out" 2> "$tmp/err" < /dev/null & pid=$!
    n=0; while [ ! -s "$tmp/disk/x/recipe.yaml" ] && kill -0 $pid 2> /dev/null && [ $n -lt 1000 ]; do sleep 0.02; n=$((n + 1)); done
    cat /dev/zero > "$tmp/disk/filler" 2> /dev/null
    wait $pid; status=$?; check "the disk fills up in the middle" 1 "disk"
    rm "$tmp/disk/filler"
    improve "$tmp/disk/x" budget.steps=250; check "space again: the run goes on" 0 "going on with run 1" "sealed items"
else echo "skip a disk that fills up in the middle: no small one can be mounted here"; fi

# ---- a lever that fails in the middle: recorded, and the rest goes on ----
cp -r "$tmp/run/start" "$tmp/m"
weights=$(wc -c < "$tmp/m/model.safetensors")
seq 300 | while read -r _; do printf "\\231\\166\\226\\176"; done | dd of="$tmp/m/model.safetensors" bs=1 seek=$((weights - 1200)) conv=notrunc 2> /dev/null # 1e38
improve "$tmp/lever" improve.levers=warm-start,lr improve.warm_start="$tmp/m"
check "a lever whose training overflows" 0 "warm-start" "failed" "not a finite number" "lr " "sealed items"
try ledger show "$tmp/lever"; check "it stands in the ledger" 0 "warm-start" "failed"
try ledger export "$tmp/lever"; check "with its reason" 0 '"verdict": "failed"' "not a finite number" '"state": "done"'
improve "$tmp/gone" improve.levers=warm-start,lr improve.warm_start="$tmp/nowhere"
check "a lever whose model is gone" 0 "warm-start" "failed" "no such file or folder" "sealed items"
