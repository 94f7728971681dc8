#!/bin/sh
# Installs everything, checks what is compiled, and runs all tests: scripts/build_and_test.sh
set -eu
case ${1:-} in -h | --help) sed -n '2s/^# //p' "$0"; exit ;; esac
cd "$(dirname "$0")/.."
make setup-test
.venv/bin/autovoice doctor
make test
