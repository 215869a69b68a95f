#!/bin/sh
# hone bench from outside: a line for each case with the fields that never go away, the filter, and what is refused.
hone=${HONE:-build/hone}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
ok() { echo "ok $1"; }
bad() { echo "not ok $1: $(head -c 400 "$tmp/out" "$tmp/err" | tr '\n' ' ')"; }
try() { "$hone" bench "$@" > "$tmp/out" 2> "$tmp/err" < /dev/null; status=$?; }
has() { name=$1; shift; for w in "$@"; do grep -qF -- "$w" "$tmp/out" || { bad "$name: no '$w'"; return; }; done; ok "$name"; }

try --filter op/activation --seconds 0.001 --json
[ "$status" = 0 ] && ok "bench of an operator" || bad "bench of an operator"
has "every line has the contract's fields" '"name"' '"config"' '"tokens_per_second"' '"gflops"' '"percent_of_peak"' '"peak_rss_bytes"'
has "the machine's line" '"name": "machine"' '"isa"' '"threads"' '"commit"' '"gflops_one_thread"' '"read_gbytes_all_threads"'
has "forward and backward" 'forward"' 'backward"' '"median"' '"min"' '"max"'
[ "$(grep -c . "$tmp/out")" = 3 ] && ok "the filter lets nothing else through" || bad "the filter lets nothing else through"
try --filter op/add --seconds 0.001
[ "$status" = 0 ] && ok "bench as a table" || bad "bench as a table"
has "the table" "multiply-add" "GB/s" "add"
try --filter nothing-of-this-name --seconds 0.001
[ "$status" = 2 ] && grep -q "finds no case" "$tmp/err" && ok "a filter that lets nothing through" || bad "a filter that lets nothing through"
try --seconds 0
[ "$status" = 2 ] && grep -q "seconds" "$tmp/err" && ok "no time" || bad "no time"

# ---- a training step and decoding, the smallest there is ----
try --filter train/nanogpt --seconds 0.001 --json
[ "$status" = 0 ] && ok "bench of a training step" || bad "bench of a training step"
has "its fields" '"name": "train/nanogpt"' '"tokens_per_second"' '"floor_seconds"' '"step_over_floor"' '"profile"' '"operator": "linear"' '(batch, norm, update)'

# ---- two files ----
line() { printf '{"name": "%s", "seconds": {"median": %s, "min": %s, "max": %s, "q1": %s, "q3": %s, "n": 9}}\n' "$@"; }
{ line op/a 1 0.5 2 0.98 1.02; line op/b 1 0.8 2 0.9 1.3; line op/c 1 0.5 3 0.99 1.01; line op/gone 1 1 1 1 1; line op/d 1 0.4 2 0.99 1.01; } > "$tmp/old.json"
{ line op/a 1.2 1 3 1.19 1.22; line op/b 1.1 1 2 1 1.2; line op/c 0.8 0.5 1 0.79 0.81; line op/new 1 1 1 1 1; line op/d 1.02 1 2 1.015 1.03; } > "$tmp/new.json"
try --compare "$tmp/old.json" "$tmp/new.json"
[ "$status" = 0 ] && ok "compare" || bad "compare"
grep -q 'op/a .*SLOWER' "$tmp/out" && grep -q 'op/c .*faster' "$tmp/out" && ok "what is beyond the noise is marked" || bad "what is beyond the noise is marked"
grep -E 'op/[bd] ' "$tmp/out" | grep -qE 'SLOWER|faster' && bad "what is within the noise is not" || ok "what is within the noise is not"
has "the count" "1 faster, 1 slower, 2 within the noise, 2 in one file only"
try --compare "$tmp/old.json" "$tmp/new.json" --json
has "compare --json" '"ratio": 1.2' '"verdict": "slower"' '"verdict": "same"'
try --compare "$tmp/old.json"
[ "$status" = 2 ] && grep -q "which two files" "$tmp/err" && ok "compare with one file" || bad "compare with one file"
try --compare "$tmp/old.json" "$tmp/none.json"
[ "$status" = 3 ] && grep -q "none.json" "$tmp/err" && ok "compare with no file" || bad "compare with no file"
echo '[1, 2' > "$tmp/broken.json"
try --compare "$tmp/broken.json" "$tmp/new.json"
[ "$status" = 3 ] && grep -q "broken.json:1" "$tmp/err" && ok "compare with a broken file" || bad "compare with a broken file"
try stray
[ "$status" = 2 ] && ok "a stray argument" || bad "a stray argument"
