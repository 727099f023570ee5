#!/usr/bin/env bash
# A caption and a stream with gemini-cli, not interactive: one line of JSON for each flow that is named.
set -euo pipefail
gemini="$(dirname "$0")/node_modules/.bin/gemini"
HOME=$(mktemp -d)
export HOME
trap 'rm -r "$HOME"' EXIT
mkdir "$HOME/.gemini"
cp "$SETTINGS" "$HOME/.gemini/settings.json"
cp "$PHOTO" "$HOME/photo.jpg"
cd "$HOME"

# docs: begin
export GOOGLE_GEMINI_BASE_URL="$VIDI" GEMINI_API_KEY=any GEMINI_SYSTEM_MD="$PWD/system.md"
echo "You look at pictures." > system.md
# docs: end

ask() {
  "$gemini" --skip-trust --model gemini-3-flash-preview --prompt 'Caption this image. @photo.jpg' -o "$1"
}

caption() { ask json | jq -ce '{text: .response}'; }

stream() {
  ask stream-json | grep '^{' |
    jq -cse '{chunks: map(select(.type == "message" and .role == "assistant").content)}'
}

for flow in "$@"; do "$flow"; done
