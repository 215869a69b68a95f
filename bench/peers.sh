#!/bin/sh
# peers.sh - hone beside the newest PyTorch that can be had, in one run: see bench/peers.py, which takes the arguments.
#   bench/peers.sh [OUT.json] [CONFIG ...] [--rounds N] [--seconds S]
#   bench/peers.sh tokens [OUT.json] TOKENIZER TEXT [TOKENIZER TEXT ...] [--rounds N] [--seconds S] [--threads N]
# The second form: text to ids, beside the package tokenizers (and sentencepiece), single-threaded: see bench/peers_tokens.py.
# Makes an environment in build/peers-venv (PyTorch for the CPU; some 200 MB to fetch). HONE_PEERS_PYTHON=/path/to/python takes another
# that has PyTorch; HONE_PEERS_INDEX another package index. torch.compile needs a C++ compiler and Python's headers; without them that
# variant is told as failed.
set -eu
cd "$(dirname "$0")/.."
script=bench/peers.py needs=torch
if [ "${1:-}" = tokens ]; then script=bench/peers_tokens.py needs=tokenizers; shift; fi
python=${HONE_PEERS_PYTHON:-build/peers-venv/bin/python}
if [ -z "${HONE_PEERS_PYTHON:-}" ] && ! "$python" -c "import $needs" 2>/dev/null; then
    python3 -m venv build/peers-venv || { echo "peers.sh: python3-venv is needed: apt-get install python3-venv" >&2; exit 1; }
    if [ $needs = tokenizers ]; then "$python" -m pip install --quiet --upgrade tokenizers sentencepiece; else
    "$python" -m pip install --quiet --upgrade torch numpy --index-url "${HONE_PEERS_INDEX:-https://download.pytorch.org/whl/cpu}" ||
        "$python" -m pip install --quiet --upgrade torch numpy
    "$python" -m pip install --quiet --upgrade transformers peft || echo "peers.sh: no transformers and peft: llama15m-lora is left out" >&2
    fi
fi
[ -x build/hone ] || make -s build/hone
case ${1:-} in *.json) out=$1; shift ;; *) out=build/peers.json ;; esac
exec "$python" "$script" "$out" "$@"
