#!/bin/sh
# Tells people: scripts/send_alert.sh MESSAGE. It is posted as {"text": MESSAGE} to AUTOVOICE_ALERT_URL, as the
# incoming webhooks of chat programs want it; without that address it goes to the system's log, with exit code 1.
set -eu
case ${1:-} in -h | --help | '') sed -n '2,3s/^# //p' "$0"; [ -n "${1:-}" ]; exit ;; esac
if [ -z "${AUTOVOICE_ALERT_URL:-}" ]; then
    command -v logger >/dev/null 2>&1 && logger -t autovoice -- "$1"
    echo "nobody was told: AUTOVOICE_ALERT_URL is not set" >&2
    exit 1
fi
printf '%s' "$1" | python3 -c 'import json, sys; print(json.dumps({"text": sys.stdin.read()}))' |
    curl -fsS --max-time 20 -H 'Content-Type: application/json' --data-binary @- "$AUTOVOICE_ALERT_URL" >/dev/null
