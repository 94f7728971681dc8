#!/bin/sh
# Brings a checkout to another version: scripts/update.sh [TAG], by default the newest tag v….
# Backs up, installs, migrates the database, tries the new version on port STAGING_PORT (5001), and restarts the
# service. What fails before the restart leads back to the version that was there; so does scripts/rollback.sh later.
set -eu
case ${1:-} in -h | --help) sed -n '2,4s/^# //p' "$0"; exit ;; esac
cd "$(dirname "$0")/.."
git diff --quiet HEAD || { echo "there are local changes: commit or stash them first" >&2; exit 1; }
git fetch --quiet --tags
target=${1:-$(git tag --list 'v*' --sort=-version:refname | head -n 1)}
[ -n "$target" ] || { echo "there is no tag v… to update to" >&2; exit 1; }
git rev-parse --quiet --verify "$target^{commit}" >/dev/null || { echo "there is no version $target" >&2; exit 1; }
before=$(git rev-parse HEAD)
scripts/backup.sh "${BACKUP_DIR:-/backups/autovoice}"

go_back() {
    echo "the update to $target failed; going back to $before" >&2
    git checkout --quiet "$before"
    make --silent setup
}
trap go_back EXIT
git checkout --quiet "$target"
make --silent setup
PATH=$PWD/.venv/bin:$PATH
autovoice config check
autovoice db migrate
port=${STAGING_PORT:-5001}
# it takes no songs from the queue, and is seen by nobody else
AUTOVOICE_SERVER__WORKERS=1 AUTOVOICE_LIMITS__CONCURRENT_CONVERSIONS=0 \
    autovoice serve --host 127.0.0.1 --port "$port" >staging.log 2>&1 &
staging=$!
tries=0
until curl -fsS --max-time 5 "http://127.0.0.1:$port/health/ready" >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -ge 60 ] || ! kill -0 "$staging" 2>/dev/null; then
        kill "$staging" 2>/dev/null || true
        echo "the new version does not come up; see staging.log" >&2
        exit 1
    fi
    sleep 1
done
scripts/health_check.sh "http://127.0.0.1:$port"
kill "$staging"
wait "$staging" || true
trap - EXIT
echo "$before" >.git/autovoice-before-update
if command -v systemctl >/dev/null 2>&1 && systemctl is-active --quiet autovoice; then
    systemctl restart autovoice
    sleep 5
    scripts/health_check.sh "${URL:-http://localhost:5000}"
fi
echo "updated to $target"
