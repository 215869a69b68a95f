#!/usr/bin/env bash
# get.sh - downloads from a server that behaves as the Hub does, and as it should not: what is fetched, resumed and refused; whither the token goes.
# usage: tests/cli/get.sh [build/hone]
set -u
hone=${1:-${HONE:-build/hone}}
hone=$(realpath "$hone")
tmp=$(mktemp -d) || exit 1
here=$(cd "$(dirname "$0")" && pwd)
server=
trap '[ -n "$server" ] && kill "$server" 2> /dev/null; rm -rf "$tmp"' EXIT
. "$here/lib/check.sh"
cd "$tmp" || exit 1
yes() { name=$1; shift; if "$@" > /dev/null 2>&1; then echo "ok $name"; else echo "not ok $name: $*; $(said)"; fi; }
no() { name=$1; shift; if "$@" > /dev/null 2>&1; then echo "not ok $name: $*; $(said)"; else echo "ok $name"; fi; }
unset HF_TOKEN HF_TOKEN_PATH HF_HOME http_proxy HTTP_PROXY all_proxy ALL_PROXY
export HOME="$tmp/home" HF_ENDPOINT=http://127.0.0.1:9/ no_proxy='*'

try get;                                check "nothing named" 2 "get what?"
try get gpt2;                           check "no source" 2 "hf:owner/name"
try get hf:gpt2;                        check "no owner" 2 "hf:owner/name"
try get hf:../x;                        check "a source with dots" 2 "hf:owner/name"
try get hf:o/n/../../x;                 check "a file with dots" 2 "no name of a file"
try get hf:o/n/pytorch_model.bin;       check "a pickle" 2 "pickles"
try get http://127.0.0.1:9/x --sha256 1; check "half a checksum" 2 "64"
if "$hone" version | grep -q '^without.*libcurl'; then
    try get hf:o/tiny; check "without libcurl" 1 "libcurl4-openssl-dev"
    echo "skip get: built without libcurl"
    exit 0
fi
try get http://127.0.0.1:9/x --tries 1; check "nobody there" 1 "127.0.0.1" "goes on from where it stopped"
command -v python3 > /dev/null || { echo "skip get: python3 is missing, which plays the server"; exit 0; }
python3 "$here/lib/hub.py" "$tmp/ports" "$tmp/log" &
server=$!
for _ in $(seq 200); do [ -e ports ] && break; sleep 0.05; done
read -r hub store sha < ports || { echo "skip get: the server does not start"; exit 0; }
export HF_ENDPOINT="http://127.0.0.1:$hub/" HF_TOKEN=hf_sEcReT
cdn="http://127.0.0.1:$store"
sum() { [ "$(sha256sum < "$1" | cut -d' ' -f1)" = "$sha" ]; }

# A whole repository: 429 waited for, redirect to another origin, the connection cut in the middle.
try get hf:o/tiny --json
check "a repository" 0 '"out": "tiny"' '"files": 4' '"revision": "0123456789abcdef0123456789abcdef01234567"' '"verified": true'
yes "its weights" sum tiny/model.safetensors
yes "its configuration" grep -q gpt2 tiny/config.json
yes "only what is wanted" [ "$(ls -A tiny | tr '\n' ' ')" = "config.json model.safetensors tokenizer.json tokenizer_config.json " ]
yes "a 429 is tried again" [ "$(grep -c 'resolve/.*/config.json' log)" = 2 ]
yes "a cut connection is resumed" grep -q 'store /cut/model.* bytes=150000- "v1"' log
yes "the token goes to the Hub" grep -q 'hub /api/models/o/tiny.*Bearer hf_sEcReT' log
no "and nowhere else" grep -q '^store.*Bearer' log
lacks "nor is it told" sEcReT
lacks "nor the signed address" signature
try get hf:o/tiny --json
check "once more" 0 '"here": true'

try get hf:o/tiny/model.safetensors one.safetensors --json
check "one file" 0 '"verified": true' "$sha"
yes "it is whole" sum one.safetensors
mkdir -p home/.cache/huggingface && echo hf_fRoMfIlE > home/.cache/huggingface/token
HF_TOKEN= try get hf:o/tiny/config.json into/
check "a token from the file, a folder to put it in" 0 "into/config.json"
yes "it is sent" grep -q 'Bearer hf_fRoMfIlE' log
HF_TOKEN=$'a\r\nX: y' try get hf:o/tiny/config.json
check "a token of two lines" 2 "HF_TOKEN"
try get "$cdn/back" back.bin
check "back to the Hub from elsewhere" 0
no "without a token for strangers" grep -q 'plain.bin.*Bearer' log

# Given up half-way, gone on with later; and when the file has changed meanwhile.
try get "$cdn/cut-always/x" x --tries 1
check "what brings something is tried again" 0 "x"
head -c 100000 one.safetensors > y.part && printf '"v1"' > y.part.tag
try get "$cdn/y" y --json
check "an earlier part" 0 '"resumed": 100000'
yes "is completed" sum y
head -c 100000 /dev/zero > z.part && printf '"v0"' > z.part.tag
try get "$cdn/z" z --json
check "a part of another version" 0 '"bytes": 300000'
yes "is not glued on" sum z
head -c 100000 /dev/zero > w.part && printf '"v1"' > w.part.tag
try get "$cdn/w" w --sha256 "$sha" --json
check "a damaged part" 0 '"verified": true'
yes "is fetched anew" sum w
yes "no parts are left" [ -z "$(ls ./*.part ./*.tag 2> /dev/null)" ]

# What goes wrong leaves the old file in place.
try get hf:o/none;     check "404" 1 "404" "check the name"
try get hf:o/private;  check "401" 1 "401" "token"; lacks "401 tells no token" sEcReT
try get hf:o/evil;     check "a path upwards" 3 "../evil.safetensors"
try get hf:o/root;     check "a path from the root" 3 "/etc/evil"
try get hf:o/pickled;  check "only pickles" 3 "no safetensors"
try get hf:o/garbled;  check "a list cut short" 3 "o/garbled"
echo old > kept
try get hf:o/bad/sum.safetensors kept;    check "a wrong checksum" 3 "checksum" "$sha"
try get hf:o/bad/length.safetensors kept; check "a wrong length" 3 "wrong length" 12345
try get hf:o/bad/round kept;              check "round and round" 1 "on and on"
try get hf:o/bad/patience kept --max-wait 0.5; check "asked to wait longer than one would" 1 "429" "patience"
try get hf:o/bad/scheme kept;             check "a redirect to a file" 1 "scheme"
yes "the old file stands" grep -qx old kept
try get "$cdn/w2" full --sha256 "$(printf '0%.0s' $(seq 64))"; check "not the asked checksum" 3 "checksum"
