#!/bin/sh
# Prepares .venv with the torch that fits this machine: scripts/setup_pytorch_env.sh [--dry-run]
# TORCH_INDEX names an index of torch's own builds, such as the one for the CUDA of your driver; without it torch
# comes from the package index that pip is set up for, whose Linux build runs on CPUs and on current drivers.
set -eu
case ${1:-} in -h | --help) sed -n '2,4s/^# //p' "$0"; exit ;; esac
cd "$(dirname "$0")/.."
run() { echo "+ $*"; [ -n "${dry:-}" ] || "$@"; }
[ "${1:-}" = --dry-run ] && dry=yes
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON")'
torch=$(sed -n 's/^ *"\(torch\(audio\)\{0,1\}==[^"]*\)".*/\1/p' pyproject.toml | tr '\n' ' ')
[ -d .venv ] || run "$python" -m venv .venv
# shellcheck disable=SC2086
[ -z "${TORCH_INDEX:-}" ] || run env PIP_INDEX_URL="$TORCH_INDEX" .venv/bin/python -m pip install $torch
run make setup "PYTHON=$python"
run .venv/bin/python -c 'import torch; print("torch", torch.__version__, "CUDA", torch.version.cuda, "found" if torch.cuda.is_available() else "no card")'
