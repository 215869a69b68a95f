#!/bin/sh
# hone chat through a pipe: answers stream, the talk is remembered and forgotten, the model's own template is used, Ctrl-C stops an answer
# and not the program.
hone=${HONE:-build/hone}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. "$(dirname "$0")/lib/check.sh"
cp -r tests/golden/tasks/model_llama "$tmp/m"
# talk TEXT ARGUMENT …: chat with TEXT on stdin.
talk() {
    text=$1
    shift
    printf "$text" | "$hone" chat "$@" > "$tmp/out" 2> "$tmp/err"
    status=$?
}
lines() { if [ "$(wc -l < "$tmp/out")" = "$2" ]; then echo "ok $1"; else echo "not ok $1: $(said)"; fi; }
short="--max-tokens 8 --temperature 0 --seed 1"

# shellcheck disable=SC2086
talk 'Hello\nAgain\n' "$tmp/m" $short --json; check "two messages" 0 '"role": "assistant"' '"finish_reason": "length"' "no chat template"; lines "two answers" 2
cp "$tmp/out" "$tmp/two"
# shellcheck disable=SC2086
talk 'Hello\n/reset\nHello\n' "$tmp/m" $short --json; check "/reset" 0
[ "$(sed -n 1p "$tmp/out")" = "$(sed -n 2p "$tmp/out")" ] && echo "ok after /reset the same question has the same answer" || echo "not ok after /reset: $(said)"
[ "$(sed -n 1p "$tmp/out")" = "$(sed -n 1p "$tmp/two")" ] && echo "ok the same talk has the same answer" || echo "not ok the same talk: $(said)"
# shellcheck disable=SC2086
talk 'Hello\n/quit\nNever read\n' "$tmp/m" $short --json; check "/quit" 0; lines "nothing after /quit" 1
# shellcheck disable=SC2086
talk '\n  \nHello' "$tmp/m" $short --json; check "blank lines, and a last one without an end" 0; lines "one answer" 1
# shellcheck disable=SC2086
talk 'Hello\n' "$tmp/m" $short; check "as text" 0; lacks "as text: no JSON" '{'
i=0; while [ $i -lt 12 ]; do printf 'a longer message number %d of a talk\n' $i; i=$((i + 1)); done > "$tmp/long"
# shellcheck disable=SC2086
"$hone" chat "$tmp/m" $short --json --system "be kind" < "$tmp/long" > "$tmp/out" 2> "$tmp/err"; status=$?
check "a talk beyond the context" 0 "its oldest part is left out"; lines "all are answered" 12

# A template of the model's own: what it writes is what is read, and a text that the template refuses is told.
printf '{%% for m in messages %%}<{{ m.role }}>{{ m.content }}{%% endfor %%}{%% if messages[0].content == "no" %%}{{ raise_exception("not that") }}{%% endif %%}<a>' > "$tmp/m/chat_template.jinja"
# shellcheck disable=SC2086
talk 'Hello\n' "$tmp/m" $short --json; check "the model's own template" 0 '"content"'; lacks "no word of a missing one" "no chat template"
# shellcheck disable=SC2086
talk 'no\n' "$tmp/m" $short --json; check "a message that the template refuses" 3 "not that"
printf 'line one\n{%% include "x" %%}' > "$tmp/m/chat_template.jinja"
# shellcheck disable=SC2086
talk 'Hello\n' "$tmp/m" $short; check "a template outside of the subset" 3 "chat_template.jinja:2" "include"
rm "$tmp/m/chat_template.jinja"
# shellcheck disable=SC2086
talk 'a \377 byte\n' "$tmp/m" $short; check "invalid UTF-8" 3 "not valid UTF-8"
try chat; check "no model" 2 "which model?"
try chat "$tmp/none"; check "no such model" 3 "none"

# Weights are read where the file is mapped: another program that cuts the file short in the middle of a talk is told as that.
cp -r tests/golden/tasks/model_llama "$tmp/short"
mkfifo "$tmp/line"
"$hone" chat "$tmp/short" --max-tokens 4 --temperature 0 --json < "$tmp/line" > "$tmp/out" 2> "$tmp/err" & pid=$!
exec 4> "$tmp/line"
echo Hello >&4
n=0; while [ ! -s "$tmp/out" ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done
truncate -s 100 "$tmp/short/model.safetensors"
echo Again >&4
exec 4>&-
wait $pid; status=$?; check "the model's file is cut short" 3 "cut short"

# Ctrl-C: the answer ends, the next message is answered.
mkfifo "$tmp/pipe"
"$hone" chat "$tmp/m" --max-tokens 100000000 --temperature 0 --json < "$tmp/pipe" > "$tmp/out" 2> "$tmp/err" & pid=$!
exec 3> "$tmp/pipe"
echo Hello >&3
sleep 0.5
kill -INT $pid
n=0; while [ ! -s "$tmp/out" ] && [ $n -lt 600 ]; do sleep 0.05; kill -INT $pid 2> /dev/null; n=$((n + 1)); done
echo /quit >&3
exec 3>&-
wait $pid; status=$?
check "Ctrl-C stops the answer, not the program" 0 '"finish_reason": "interrupted"'
