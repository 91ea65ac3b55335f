#!/usr/bin/env bash
# A worker is killed: its port is closed, the alert fires, and both are over when it is back.
# Needs mock-kestra (or MOCK_KESTRA=its path), curl and jq.
set -euo pipefail
cd "$(dirname "$0")"

folder=$(mktemp -d)
"${MOCK_KESTRA:-mock-kestra}" serve healthy-cluster --paused --rules ../rules.yml \
    --port 0 --control 0 --ready-file "$folder/ready.json" > "$folder/log" 2>&1 &
mock=$!
trap 'kill "$mock" 2> /dev/null || true; wait "$mock" 2> /dev/null || true; rm -rf "$folder"' EXIT
until [ -s "$folder/ready.json" ]; do
    kill -0 "$mock" 2> /dev/null || { cat "$folder/log" >&2; exit 1; }
    sleep 0.05
done
control=http://$(jq -r .control "$folder/ready.json")
worker=$(jq -r '.members[] | select(.name == "worker-1") | "http://\(.host):\(.management)"' "$folder/ready.json")

# Asks the control port; what is wrong with a request is in a problem document.
post() { # path, body
    local answer
    answer=$(curl -sS -X POST --data "$2" "$control$1")
    jq -e 'if .detail then error("\(.detail); \(.advice)") else . end' <<< "$answer"
}
firing() { curl -sSf "$control/api/alerts" | jq -c '[.data.alerts[] | select(.state == "firing") | .labels.instance]'; }
is() { # what, found, expected
    [ "$2" = "$3" ] || { echo "$1 is $2, not $3" >&2; exit 1; }
}

post /api/advance '{"by": "5m"}' > /dev/null
is "the worker's health" "$(curl -sSf "$worker/health" | jq -r .status)" UP
grep -q '^kestra_worker_job_running' <<< "$(curl -sSf "$worker/prometheus")" || { echo "it is not scraped" >&2; exit 1; }

fault=$(post /api/faults '{"kill": "worker-1", "for": "1h"}' | jq -r .name)
if curl -sS "$worker/prometheus" > /dev/null 2>&1; then echo "a killed worker answers" >&2; exit 1; fi
post /api/advance '{"by": "3m"}' > /dev/null
is "what fires" "$(firing)" '["worker-1:8081"]'

curl -sSf -X DELETE "$control/api/faults/$fault" > /dev/null
post /api/advance '{"by": "2m"}' > /dev/null
is "the worker's health" "$(curl -sSf "$worker/health" | jq -r .status)" UP
is "what fires" "$(firing)" '[]'
echo "ok: the alert fired, and ended"
