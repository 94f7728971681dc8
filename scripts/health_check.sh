#!/bin/sh
# Is the server well, and the machine under it? scripts/health_check.sh [URL]; exit code 1 if not.
set -u
url=${1:-http://localhost:5000}
answer=$(curl -fsS --max-time 10 "$url/health") || { echo "FAIL: $url/health does not answer, or is unhealthy"; exit 1; }
echo "$answer"
case $answer in *'"status": "healthy"'*) ;; *) echo "WARNING: not healthy" ;; esac
if command -v nvidia-smi >/dev/null 2>&1; then nvidia-smi >/dev/null || { echo "FAIL: nvidia-smi"; exit 1; }; fi
[ -d "${CACHE_DIR:-/data/cache}" ] && echo "Cache size: $(du -sh "${CACHE_DIR:-/data/cache}" | cut -f1)"
free_gb=$(free -g 2>/dev/null | awk '/^Mem:/{print $7}')
[ -n "$free_gb" ] && [ "$free_gb" -lt "${LEAST_FREE_GB:-1}" ] && echo "WARNING: less than ${LEAST_FREE_GB:-1} GB of memory are available"
echo "Health check passed"
