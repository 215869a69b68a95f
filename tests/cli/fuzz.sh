#!/bin/sh
# Replays the corpus of every fuzz target, built without libFuzzer beside the program.
cd "$(dirname "$0")/../.." || exit 1
for program in "$(dirname "${HONE:-build/hone}")"/fuzz/*; do
    name=$(basename "$program")
    [ -f "fuzz/$name.c" ] && [ "$name" != driver ] || continue
    if out=$("$program" "fuzz/corpus/$name" 2>&1); then echo "ok fuzz $name"
    else echo "not ok fuzz $name: $(echo "$out" | tail -n 30)"; fi
done
