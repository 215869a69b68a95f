# check.sh - what the scripts of the folder above share; they read it with `.`, after setting $hone and $tmp.
# Each case prints one line: "ok NAME" or "not ok NAME: why".

try() { "$hone" "$@" > "$tmp/out" 2> "$tmp/err" < /dev/null; status=$?; }
said() { head -c 600 "$tmp/out" "$tmp/err" | tr '\n' ' '; }

# check NAME STATUS WORD…: the last command ended so, and each word is in its output.
check() {
    name=$1 want=$2
    shift 2
    [ "$status" = "$want" ] || { echo "not ok $name: exit $status, wanted $want: $(said)"; return; }
    for word in "$@"; do
        grep -qF -- "$word" "$tmp/out" "$tmp/err" || { echo "not ok $name: no '$word' in: $(said)"; return; }
    done
    echo "ok $name"
}
lacks() { if grep -qF -- "$2" "$tmp/out" "$tmp/err"; then echo "not ok $1: '$2' in: $(said)"; else echo "ok $1"; fi; }
silent() { if [ -s "$tmp/$2" ]; then echo "not ok $1: something on $2: $(head -c 200 "$tmp/$2")"; else echo "ok $1"; fi; }
