#!/usr/bin/env bash
# A caption and a stream with gemini-cli, not interactive: one line of JSON for each flow that is named.
set -euo pipefail
gemini="$(dirname "$0")/node_modules/.bin/gemini"
HOME=$(mktemp -d)
export HOME
trap 'rm -r "$HOME"' EXIT
mkdir "$HOME/.gemini"
cp "$SETTINGS" "$HOME/.gemini/settings.json"
mkdir "$HOME/pictures" # apart from the settings: the names of all files around go into the prompt
cd "$HOME/pictures"
cp "$PHOTO" photo.jpg

# docs: begin
export GOOGLE_GEMINI_BASE_URL="$VIDI" GEMINI_API_KEY=any GEMINI_SYSTEM_MD="$HOME/system.md"
echo "You look at pictures." > "$GEMINI_SYSTEM_MD"
# docs: end

ask() {
  "$gemini" --skip-trust --model gemini-3-flash-preview --prompt "${2-Caption this image. @photo.jpg}" -o "$1"
}

caption() { ask json | jq -ce '{text: .response}'; }

stream() {
  ask stream-json | grep '^{' |
    jq -cse '{chunks: map(select(.type == "message" and .role == "assistant").content)}'
}

# With a tool of its own, which the model is told to use.
tools() (
  jq '.tools.core = ["list_directory"]' "$SETTINGS" > "$HOME/.gemini/settings.json"
  ask json 'call=list_directory {"dir_path": "."}' | jq -ce '{text: .response}'
)

# The same in its Vertex mode.
vertex() (
  sed -i s/gemini-api-key/vertex-ai/ "$HOME/.gemini/settings.json"
  unset GEMINI_API_KEY GOOGLE_GEMINI_BASE_URL
  export GOOGLE_GENAI_USE_VERTEXAI=true GOOGLE_API_KEY=any GOOGLE_VERTEX_BASE_URL="$VIDI"
  caption
)

for flow in "$@"; do "$flow"; done
