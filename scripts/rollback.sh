#!/bin/sh
# Goes back to the version before the last update, or to VERSION: scripts/rollback.sh [VERSION] [ARCHIVE].
# With ARCHIVE (a backup of that time) the data go back, too; without it they stay. A version that finds a database newer
# than itself says so and does not start: then ARCHIVE is needed.
set -eu
case ${1:-} in -h | --help) sed -n '2,4s/^# //p' "$0"; exit ;; esac
cd "$(dirname "$0")/.."
note=.git/autovoice-before-update
version=${1:-$(cat "$note" 2>/dev/null || true)}
[ -n "$version" ] || { echo "no update is known: say which version" >&2; exit 1; }
git rev-parse --quiet --verify "$version^{commit}" >/dev/null || { echo "there is no version $version" >&2; exit 1; }
git diff --quiet HEAD || { echo "there are local changes: commit or stash them first" >&2; exit 1; }
running=''
if command -v systemctl >/dev/null 2>&1 && systemctl is-active --quiet autovoice; then
    running=yes
    systemctl stop autovoice
fi
git checkout --quiet "$version"
make --silent setup
PATH=$PWD/.venv/bin:$PATH
[ -z "${2:-}" ] || autovoice backup restore "$2"
rm -f "$note"
if [ -n "$running" ]; then
    systemctl start autovoice
    sleep 5
    scripts/health_check.sh "${URL:-http://localhost:5000}"
fi
echo "went back to $version"
