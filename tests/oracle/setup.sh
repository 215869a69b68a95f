#!/bin/sh
# Makes tests/oracle/.venv with the packages that the oracle scripts compare hone against. Needs python3-venv and the network.
set -e
cd "$(dirname "$0")"
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/pip install --quiet --upgrade torch transformers tokenizers safetensors numpy scipy peft
.venv/bin/python -c 'import torch, transformers, tokenizers, safetensors
print("torch", torch.__version__, "transformers", transformers.__version__, "tokenizers", tokenizers.__version__, "safetensors", safetensors.__version__)'
