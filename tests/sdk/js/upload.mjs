// The guide's upload flow with the official SDK. Arguments: a picture, its MIME type, an inline picture.
// Prints one JSON object.
import fs from "node:fs";
import { createPartFromUri, createUserContent, GoogleGenAI } from "@google/genai";

const [path, mimeType, inlinePath] = process.argv.slice(2);
const ai = new GoogleGenAI({});
const model = "gemini-3-flash-preview";

const uploaded = await ai.files.upload({ file: path, config: { mimeType, displayName: "A ball" } });
const got = await ai.files.get({ name: uploaded.name });

const alone = await ai.models.generateContent({
  model,
  contents: createUserContent([createPartFromUri(uploaded.uri, uploaded.mimeType), "Caption this image."]),
});
const mixed = await ai.models.generateContent({
  model,
  contents: createUserContent([
    "What is different between these two images?",
    createPartFromUri(uploaded.uri, uploaded.mimeType),
    { inlineData: { mimeType: "image/png", data: fs.readFileSync(inlinePath, { encoding: "base64" }) } },
  ]),
});

const blob = new Blob([fs.readFileSync(path)], { type: mimeType });
const fromBlob = await ai.files.upload({ file: blob });

const listed = [];
for await (const file of await ai.files.list({ config: { pageSize: 1 } })) listed.push(file.name);

await ai.files.delete({ name: uploaded.name });
const gone = await ai.files.get({ name: uploaded.name }).then(() => null, (error) => error);

console.log(
  JSON.stringify({ uploaded, got, alone: alone.text, mixed: mixed.text, fromBlob, listed, gone: gone?.status }),
);
