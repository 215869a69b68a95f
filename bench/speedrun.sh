#!/bin/sh
# speedrun.sh - time to quality: see bench/speedrun.py, which takes the arguments.
#   bench/speedrun.sh INPUT.txt OUTDIR [--seeds N]
# HONE_PEERS_PYTHON=/path/to/python takes a Python that has PyTorch; otherwise the oracle's (tests/oracle/setup.sh makes it).
set -eu
cd "$(dirname "$0")/.."
python=${HONE_PEERS_PYTHON:-tests/oracle/.venv/bin/python}
"$python" -c 'import torch' 2>/dev/null || { tests/oracle/setup.sh; python=tests/oracle/.venv/bin/python; }
[ -x build/hone ] || make -s build/hone
exec "$python" bench/speedrun.py "$@"
