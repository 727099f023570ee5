// The Interactions API by Google's JavaScript SDK: a photograph is captioned, asked about again, streamed,
// answered by schema, looked up and deleted. Prints what it was told as one line of JSON.
import * as fs from "node:fs";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({ apiKey: "any" });
const [path, mimeType, question] = process.argv.slice(2);
const model = "gemini-3-flash-preview";
const image = { type: "image", data: fs.readFileSync(path, { encoding: "base64" }), mime_type: mimeType };
const input = [{ type: "text", text: question }, image];

const first = await ai.interactions.create({ model, input });
const again = await ai.interactions.create({
  model,
  input: "And what else?",
  previous_interaction_id: first.id,
});

const events = [];
let streamed = "";
for await (const event of await ai.interactions.create({ model, input, stream: true })) {
  events.push(event.event_type);
  if (event.event_type === "step.delta") streamed += event.delta.text;
}

const schema = {
  type: "object",
  properties: { kind: { type: "string", enum: ["photograph", "drawing"] } },
  required: ["kind"],
};
const format = { type: "text", mime_type: "application/json", schema };
const structured = await ai.interactions.create({ model, input, response_format: format, store: false });

const file = await ai.files.upload({ file: path, config: { mimeType } });
const byUri = await ai.interactions.create({
  model,
  input: [{ type: "text", text: question }, { type: "image", uri: file.uri, mime_type: mimeType }],
});

const told = async (promise) => promise.then(() => null, (error) => [error.status, error.message]);
const got = await ai.interactions.get(first.id);
const unkept = await told(ai.interactions.get(structured.id));
await ai.interactions.delete(first.id);
const gone = await told(ai.interactions.get(first.id));
const broken = await told(ai.interactions.create({ model, input: "hi", previous_interaction_id: first.id }));
const refused = await told(ai.interactions.create({ model, input, tools: [{ type: "google_search" }] }));

console.log(
  JSON.stringify({
    first: first.steps.at(-1).content[0].text,
    firstText: first.output_text,
    again: again.steps.at(-1).content[0].text,
    previous: [again.previous_interaction_id, first.id],
    events,
    streamed,
    structured: JSON.parse(structured.steps.at(-1).content[0].text),
    byUri: byUri.steps.at(-1).content[0].text,
    got: got.steps.at(-1).content[0].text,
    unkept,
    gone,
    broken,
    refused,
  }),
);
