#!/bin/sh
# Backs the voices, the database and the secret up: scripts/backup.sh [FOLDER], by default /backups/autovoice.
# Archives older than 30 days are removed. Settings as for the server: AUTOVOICE_CONFIG, AUTOVOICE_….
exec autovoice backup make "${1:-/backups/autovoice}" --keep-days "${KEEP_DAYS:-30}"
