// The form as a program: Python, JavaScript, Go or a shell line, to run beside the pictures.
//
// A single question is written in the short way of each SDK; a conversation as its turns.

import { configOf, turnsOf } from './prompt.js';

/** Text as a literal that Python, JavaScript and Go all read. */
const quoted = (text) => JSON.stringify(text.toWellFormed?.() ?? text);

/** Text as a word of the shell. */
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const indented = (lines, by) => lines.map((line) => `${by}${line}\n`).join('');

/** A value over several lines, as JavaScript reads it. */
const pretty = (value, by) => JSON.stringify(value, null, by).replaceAll('\n', `\n${by}`);

const PYTHON = { true: 'True', false: 'False', null: 'None' };

/** The same as Python reads it: no word outside of quotation marks is JSON's. */
const pythonic = (value) => pretty(value, '    ').replace(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/g, (word) => PYTHON[word] ?? word);

/** What is set beside the contents, the system instruction among it, as the SDKs take it. */
const settingsOf = (form) => ({ ...(form.system && { systemInstruction: form.system }), ...configOf(form) });

/** A turn's parts, each written by the language: pictures by `picture`, its text, if any, by `text`. */
const partsOf = (turn, picture, text) => [...turn.pictures.map(picture), ...(turn.text ? [text(turn.text)] : [])];

function python(form, base, keyed) {
  const picture = ({ name, type }) => `picture(${quoted(name)}, ${quoted(type)})`;
  const turns = turnsOf(form);
  const contents = turns.length > 1
    ? turns.map((turn) => {
      const parts = partsOf(turn, picture, (text) => `types.Part.from_text(text=${quoted(text)})`);
      return `types.${turn.role === 'model' ? 'Model' : 'User'}Content(parts=[${parts.join(', ')}])`;
    })
    : partsOf(turns[0], picture, quoted);
  const config = Object.entries(settingsOf(form)).map(([name, value]) => `${quoted(snake(name))}: ${pythonic(value)},`);
  return `import os
from pathlib import Path

from google import genai
from google.genai import types

client = genai.Client(
    api_key=${keyed ? 'os.environ["GEMINI_API_KEY"]' : 'os.environ.get("GEMINI_API_KEY") or "any"'},
    http_options=types.HttpOptions(base_url=${quoted(base)}),
)


def picture(path: str, mime_type: str) -> types.Part:
    return types.Part.from_bytes(data=Path(path).read_bytes(), mime_type=mime_type)


response = client.models.generate_content(
    model=${quoted(form.model)},
    contents=[
${indented(contents.map((each) => `${each},`), '        ')}    ],
    config={
${indented(config.map((each) => each.replaceAll('\n', '\n    ')), '        ')}    },
)
print(response.text)
`;
}

function javascript(form, base, keyed) {
  const picture = ({ name, type }) => `await picture(${quoted(name)}, ${quoted(type)})`;
  const turns = turnsOf(form);
  const contents = turns.length > 1
    ? turns.map((turn) => {
      const parts = partsOf(turn, picture, (text) => `{ text: ${quoted(text)} }`);
      return `{ role: ${quoted(turn.role)}, parts: [${parts.join(', ')}] }`;
    })
    : partsOf(turns[0], picture, quoted);
  const config = Object.entries(settingsOf(form)).map(([name, value]) => `${name}: ${pretty(value, '  ')},`);
  return `// Save as ask.mjs; npm install @google/genai
import { readFile } from "node:fs/promises";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({
  apiKey: process.env.GEMINI_API_KEY${keyed ? '' : ' || "any"'},
  httpOptions: { baseUrl: ${quoted(base)} },
});

const picture = async (path, mimeType) => ({
  inlineData: { mimeType, data: await readFile(path, "base64") },
});

const response = await ai.models.generateContent({
  model: ${quoted(form.model)},
  contents: [
${indented(contents.map((each) => `${each},`), '    ')}  ],
  config: {
${indented(config.map((each) => each.replaceAll('\n', '\n  ')), '    ')}  },
});
console.log(response.text);
`;
}

function go(form, base, keyed) {
  const contents = turnsOf(form).map((turn) => {
    const parts = partsOf(
      turn, ({ name, type }) => `picture(${quoted(name)}, ${quoted(type)}),`, (text) => `genai.NewPartFromText(${quoted(text)}),`,
    );
    return `genai.NewContentFromParts([]*genai.Part{\n${indented(parts, '\t\t\t')}\t\t}, genai.Role${turn.role === 'model' ? 'Model' : 'User'}),`;
  });
  const { responseMimeType, responseJsonSchema, mediaResolution, temperature, thinkingConfig } = configOf(form);
  const config = Object.entries({
    SystemInstruction: form.system && `genai.NewContentFromText(${quoted(form.system)}, genai.RoleUser)`,
    Temperature: temperature !== undefined && `genai.Ptr[float32](${temperature})`,
    ThinkingConfig: thinkingConfig && '&genai.ThinkingConfig{IncludeThoughts: true}',
    ResponseMIMEType: responseMimeType && quoted(responseMimeType),
    ResponseJsonSchema: responseJsonSchema && `json.RawMessage(${quoted(JSON.stringify(responseJsonSchema))})`,
    MediaResolution: mediaResolution && quoted(mediaResolution),
  }).filter(([, value]) => value);
  // gofmt lines the values up.
  const wide = Math.max(...config.map(([name]) => name.length)) + 2;
  const lines = config.map(([name, value]) => `${`${name}:`.padEnd(wide)}${value},`);
  const picture = `
func picture(path, mimeType string) *genai.Part {
	data, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	return genai.NewPartFromBytes(data, mimeType)
}
`;
  const open = `	if key == "" {
		key = "any"
	}
`;
  return `package main

import (
	"context"
${responseJsonSchema ? '\t"encoding/json"\n' : ''}	"fmt"
	"log"
	"os"

	"google.golang.org/genai"
)
${form.pictures.length ? picture : ''}
func main() {
	ctx := context.Background()
	key := os.Getenv("GEMINI_API_KEY")
${keyed ? '' : open}	client, err := genai.NewClient(ctx, &genai.ClientConfig{
		APIKey:      key,
		Backend:     genai.BackendGeminiAPI,
		HTTPOptions: genai.HTTPOptions{BaseURL: ${quoted(base)}},
	})
	if err != nil {
		log.Fatal(err)
	}
	contents := []*genai.Content{
${indented(contents, '\t\t')}	}
	config := &genai.GenerateContentConfig{${lines.length ? `\n${indented(lines, '\t\t')}\t` : ''}}
	response, err := client.Models.GenerateContent(ctx, ${quoted(form.model)}, contents, config)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Text())
}
`;
}

function curl(form, base, keyed) {
  const picture = ({ name, type }) =>
    `  printf '{"inlineData": {"mimeType": "${type}", "data": "'
  base64 < ${shell(name.startsWith('-') ? `./${name}` : name)} | tr -d '\\n'
  printf '"}}'`;
  const turns = turnsOf(form).map((turn, at) => {
    const parts = partsOf(turn, picture, (text) => `  printf '%s' ${shell(JSON.stringify({ text }))}`);
    return `  printf '${at ? ', ' : ''}{"role": "${turn.role}", "parts": ['
${parts.join("\n  printf ', '\n")}
  printf ']}'`;
  });
  const instruction = form.system ? `"systemInstruction": ${JSON.stringify({ parts: [{ text: form.system }] })}, ` : '';
  return `{
  printf '{"contents": ['
${turns.join('\n')}
  printf '%s' ${shell(`], ${instruction}"generationConfig": ${JSON.stringify(configOf(form))}}`)}
} | curl --silent --show-error ${shell(`${base}/v1beta/models/${encodeURIComponent(form.model)}:generateContent`)} \\
  -H "x-goog-api-key: ${keyed ? '$GEMINI_API_KEY' : '${GEMINI_API_KEY:-any}'}" \\
  -H 'Content-Type: application/json' \\
  --data-binary @-
`;
}

/** Each language's name and how it writes a form: (form, base URL, whether the server wants a key) => text. */
export const LANGUAGES = { Python: python, JavaScript: javascript, Go: go, curl };
