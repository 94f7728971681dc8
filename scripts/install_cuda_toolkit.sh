#!/bin/sh
# Installs Debian's or Ubuntu's CUDA toolkit: scripts/install_cuda_toolkit.sh --yes (as root; without --yes it only
# says what it would do). AutoVoice itself does not need it: torch brings its own libraries, the driver is enough.
set -eu
case ${1:-} in -h | --help) sed -n '2,3s/^# //p' "$0"; exit ;; esac
command -v nvidia-smi >/dev/null 2>&1 || echo "no NVIDIA driver is installed (no nvidia-smi): install that first" >&2
if command -v nvcc >/dev/null 2>&1; then nvcc --version | tail -n 2; exit; fi
command -v apt-get >/dev/null 2>&1 ||
    { echo "this is no Debian or Ubuntu: see developer.nvidia.com/cuda-downloads" >&2; exit 1; }
echo "apt-get install --yes --no-install-recommends nvidia-cuda-toolkit"
[ "${1:-}" = --yes ] || exit 0
[ "$(id -u)" = 0 ] || { echo "only root can install it" >&2; exit 1; }
apt-get update
apt-get install --yes --no-install-recommends nvidia-cuda-toolkit
