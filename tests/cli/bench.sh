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
