#!/bin/sh
# Puts a backup back: scripts/restore.sh ARCHIVE. The archive is checked before the service is stopped.
set -eu
archive=${1:?"say which archive: scripts/restore.sh /backups/autovoice/autovoice-….tar.gz"}
autovoice backup check "$archive"
if command -v systemctl >/dev/null 2>&1 && systemctl is-active --quiet autovoice; then
    systemctl stop autovoice
    trap 'systemctl start autovoice' EXIT
fi
autovoice backup restore "$archive"
