#!/usr/bin/env bash
# The guide's flows with curl and jq: one line of JSON for each flow that is named.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT

# docs: begin
GEMINI_API_KEY=any
MODEL_URL="$VIDI/v1beta/models/gemini-3-flash-preview"
UPLOAD_URL="$VIDI/upload/v1beta/files"
# docs: end

if [[ "$(base64 --version 2>&1)" = *"FreeBSD"* ]]; then B64FLAGS="--input"; else B64FLAGS="-w0"; fi

# ask METHOD: send standard input as the request.
ask() {
  curl --silent --show-error "$MODEL_URL:$1" \
    -H "x-goog-api-key: $GEMINI_API_KEY" \
    -H 'Content-Type: application/json' \
    -X POST \
    --data-binary @-
}

# said: the text of an answer, as {"text": ...}; fails on anything else.
said() { jq -ce '{text: [.candidates[0].content.parts[].text] | join("")}'; }

# inline PICTURE: a picture's bytes as one line of base64.
inline() { base64 $B64FLAGS "$1"; }

# send PICTURE MIME: upload it and print its uri.
send() {
  local length header=upload-header.tmp url
  length=$(wc -c < "$1" | tr -d ' ')
  curl "$UPLOAD_URL" \
    -H "x-goog-api-key: $GEMINI_API_KEY" \
    -D "$header" \
    -H "X-Goog-Upload-Protocol: resumable" \
    -H "X-Goog-Upload-Command: start" \
    -H "X-Goog-Upload-Header-Content-Length: $length" \
    -H "X-Goog-Upload-Header-Content-Type: $2" \
    -H "Content-Type: application/json" \
    -d "{'file': {'display_name': 'IMAGE'}}" 2> /dev/null
  url=$(grep -i "x-goog-upload-url: " "$header" | cut -d" " -f2 | tr -d "\r")
  curl "$url" \
    -H "Content-Length: $length" \
    -H "X-Goog-Upload-Offset: 0" \
    -H "X-Goog-Upload-Command: upload, finalize" \
    --data-binary "@$1" 2> /dev/null > file_info.json
  jq -re ".file.uri" file_info.json
}

caption() {
  # A comma too many, as in the guide; and the whole request on curl's command line.
  curl "$MODEL_URL:generateContent" \
    -H "x-goog-api-key: $GEMINI_API_KEY" \
    -H 'Content-Type: application/json' \
    -X POST \
    -d '{
      "contents": [{
        "parts":[
          {"inline_data": {"mime_type":"image/jpeg", "data": "'"$(inline "$PHOTO")"'"}},
          {"text": "Caption this image."},
        ]
      }]
    }' 2> /dev/null | said
}

fetched() {
  local mime
  mime=$(curl -sIL "$PHOTO_URL" | grep -i '^content-type:' | awk -F ': ' '{print $2}' | tr -d '\r' | head -n 1)
  if [[ -z "$mime" || ! "$mime" == image/* ]]; then mime="image/jpeg"; fi
  ask generateContent <<END | said
    {"contents": [{"parts": [
      {"inline_data": {"mime_type": "$mime", "data": "$(curl -sL "$PHOTO_URL" | base64 $B64FLAGS)"}},
      {"text": "Caption this image."}
    ]}]}
END
}

https() {
  ask generateContent <<END | said
    {"contents": [{"parts": [
      {"file_data": {"mime_type": "image/png", "file_uri": "$HTTPS_URL"}},
      {"text": "Caption this image."}
    ]}]}
END
}

stream() {
  ask streamGenerateContent?alt=sse <<END | sed -n 's/^data: //p' |
    {"contents": [{"parts": [
      {"inline_data": {"mime_type": "image/jpeg", "data": "$(inline "$PHOTO")"}},
      {"text": "Caption this image."}
    ]}]}
END
    jq -cse '{chunks: map([.candidates[0].content.parts[]?.text] | join(""))}'
}

structured() {
  ask generateContent <<END | said | jq -ce '{value: .text | fromjson}'
    {"contents": [{"parts": [
      {"inline_data": {"mime_type": "image/jpeg", "data": "$(inline "$PHOTO")"}},
      {"text": "$DETECT"}
    ]}],
    "generationConfig": {"response_mime_type": "application/json", "response_schema": {
      "type": "OBJECT",
      "properties": {
        "kind": {"type": "STRING", "enum": ["photograph", "drawing"]},
        "items": {"type": "ARRAY", "items": {
          "type": "OBJECT",
          "properties": {"label": {"type": "STRING"}, "box_2d": {"type": "ARRAY", "items": {"type": "INTEGER"}}},
          "required": ["label", "box_2d"]
        }},
      },
      "required": ["kind", "items"],
    }}}
END
}

boxes() {
  ask generateContent <<END | said | jq -ce '{value: .text | fromjson}'
    {"contents": [{"parts": [
      {"inline_data": {"mime_type": "image/jpeg", "data": "$(inline "$PHOTO")"}},
      {"text": "$DETECT"}
    ]}],
    "generationConfig": {"response_mime_type": "application/json"}}
END
}

upload() {
  local mime uri
  mime=$(file -b --mime-type "$PHOTO")
  uri=$(send "$PHOTO" "$mime")
  ask generateContent <<END | said
    {"contents": [{"parts": [
      {"file_data": {"mime_type": "$mime", "file_uri": "$uri"}},
      {"text": "Caption this image."}]
    }]}
END
  curl -sf --request DELETE "$VIDI/v1beta/files/${uri##*/}?key=$GEMINI_API_KEY" > /dev/null
}

several() {
  local mime uri
  mime=$(file -b --mime-type "$PHOTO")
  uri=$(send "$PHOTO" "$mime")
  ask generateContent <<END | said
    {"contents": [{"parts": [
      {"text": "What is different between these two images?"},
      {"file_data": {"mime_type": "$mime", "file_uri": "$uri"}},
      {"inline_data": {"mime_type": "image/png", "data": "$(inline "$DRAWING")"}}
    ]}]}
END
}

tokens() {
  local body counted billed
  body='{"contents": [{"parts": [{"inline_data": {"mime_type": "image/jpeg", "data": "'$(inline "$PHOTO")'"}}]}]}'
  counted=$(ask countTokens <<< "$body" | jq -e .totalTokens)
  billed=$(ask generateContent <<< "$body" | jq -e .usageMetadata.promptTokenCount)
  echo "{\"value\": [$counted, $billed]}"
}

refused() {
  curl -s "$VIDI/v1beta/models/no-such-model:generateContent" -d '{"contents": [{"parts": [{"text": "hi"}]}]}' |
    jq -ce '{value: [.error.code, .error.message]}'
}

# interact: send standard input as an interaction.
interact() {
  curl -s "$VIDI/v1beta/interactions" \
    -H "x-goog-api-key: $GEMINI_API_KEY" \
    -H 'Content-Type: application/json' \
    --data-binary @-
}

interaction() {
  local first
  first=$(interact <<END | jq -re .id
    {"model": "gemini-3-flash-preview", "input": [
      {"type": "image", "mime_type": "image/jpeg", "data": "$(inline "$PHOTO")"}
    ]}
END
  )
  interact <<END | jq -ce '{text: .steps[-1].content[0].text}'
    {"model": "gemini-3-flash-preview", "input": "Caption this image.", "previous_interaction_id": "$first"}
END
  curl -sf -X DELETE "$VIDI/v1beta/interactions/$first" > /dev/null
}

for flow in "$@"; do "$flow"; done
