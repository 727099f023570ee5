// A caption, a structured answer and a stream with the Vercel AI SDK: a line of JSON for each flow named.
import * as fs from "node:fs";
import { generateText, Output, streamText } from "ai";
import { z } from "zod";
// docs: begin
import { createGoogleGenerativeAI } from "@ai-sdk/google";
const google = createGoogleGenerativeAI({ apiKey: "any", baseURL: `${process.env.VIDI}/v1beta` });
const model = google("gemini-3-flash-preview");
// docs: end

const scene = z.object({
  kind: z.enum(["photograph", "drawing"]),
  items: z.array(z.object({ label: z.string(), box_2d: z.array(z.number().int()) })),
});
const picture = { type: "image", image: fs.readFileSync(process.env.PHOTO), mediaType: "image/jpeg" };
const messages = (text) => [{ role: "user", content: [picture, { type: "text", text }] }];

const flows = {
  async caption() {
    const { text } = await generateText({ model, messages: messages("Caption this image.") });
    return { text };
  },
  async structured() {
    const output = Output.object({ schema: scene });
    const answer = await generateText({ model, output, messages: messages(process.env.DETECT) });
    return { value: answer.output };
  },
  async stream() {
    const chunks = [];
    const { textStream } = streamText({ model, messages: messages("Caption this image.") });
    for await (const chunk of textStream) chunks.push(chunk);
    return { chunks };
  },
  async upload() {
    // The SDK has no call for uploads, and passes on the uri of a file that the same server holds.
    const sent = await fetch(`${process.env.VIDI}/upload/v1beta/files`, {
      method: "POST",
      headers: { "content-type": "image/jpeg", "x-goog-upload-protocol": "raw" },
      body: fs.readFileSync(process.env.PHOTO),
    });
    const { file } = await sent.json();
    const part = { type: "file", data: new URL(file.uri), mediaType: "image/jpeg" };
    const content = [part, { type: "text", text: "Caption this image." }];
    const { text } = await generateText({ model, messages: [{ role: "user", content }] });
    return { text };
  },
};

for (const flow of process.argv.slice(2)) console.log(JSON.stringify(await flows[flow]()));
