#!/usr/bin/env bash
# The tests of the client against a real TensorFlow Serving, for whoever has Docker: examples/serving/check.sh
set -euo pipefail

cd "$(dirname "$0")/../.."
python=${PYTHON:-python}
work=$(mktemp -d)
compose=(docker compose --project-name "flowzoo-check-$$" --file examples/serving/compose.yaml)
export MODELS=$work/models CONFIG=$work

stop() {
    "${compose[@]}" down --volumes || true
    rm -rf "$work"
}
trap stop EXIT

"$python" -m tests.serving.conftest "$work"
chmod -R a+rX "$work" # the container's root lacks the capability to read files that only their owner may read
"${compose[@]}" up --detach
for model in $(ls "$work/models"); do
    for _ in $(seq 60); do
        curl --fail --silent "http://127.0.0.1:8501/v1/models/$model" | grep -q AVAILABLE && continue 2
        sleep 1
    done
    "${compose[@]}" logs
    echo "$model is not available after 60 s" >&2
    exit 1
done
FLOWZOO_SERVING_REST=http://127.0.0.1:8501 FLOWZOO_SERVING_GRPC=grpc://127.0.0.1:8500 \
    "$python" -m pytest -n 0 -m "not slow" tests/serving/test_client.py
