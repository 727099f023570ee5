// A caption, a structured answer, a stream and an upload with Google's retired JavaScript SDK: a line of JSON
// for each flow named.
import * as fs from "node:fs";
import { SchemaType } from "@google/generative-ai";
// docs: begin
import { GoogleGenerativeAI } from "@google/generative-ai";
import { GoogleAIFileManager } from "@google/generative-ai/server";
const server = { baseUrl: process.env.VIDI };
const model = new GoogleGenerativeAI("any").getGenerativeModel({ model: "gemini-3-flash-preview" }, server);
const files = new GoogleAIFileManager("any", server);
// docs: end

const data = fs.readFileSync(process.env.PHOTO, { encoding: "base64" });
const picture = { inlineData: { mimeType: "image/jpeg", data } };
const item = {
  type: SchemaType.OBJECT,
  properties: {
    label: { type: SchemaType.STRING },
    box_2d: { type: SchemaType.ARRAY, items: { type: SchemaType.INTEGER } },
  },
  required: ["label", "box_2d"],
};
const responseSchema = {
  type: SchemaType.OBJECT,
  properties: {
    kind: { type: SchemaType.STRING, format: "enum", enum: ["photograph", "drawing"] },
    items: { type: SchemaType.ARRAY, items: item },
  },
  required: ["kind", "items"],
};

const flows = {
  async caption() {
    const { response } = await model.generateContent([picture, "Caption this image."]);
    return { text: response.text() };
  },
  async structured() {
    const { response } = await model.generateContent({
      contents: [{ role: "user", parts: [picture, { text: process.env.DETECT }] }],
      generationConfig: { responseMimeType: "application/json", responseSchema },
    });
    return { value: JSON.parse(response.text()) };
  },
  async stream() {
    const chunks = [];
    const { stream } = await model.generateContentStream([picture, "Caption this image."]);
    for await (const chunk of stream) chunks.push(chunk.text());
    return { chunks };
  },
  async upload() {
    const { file } = await files.uploadFile(process.env.PHOTO, { mimeType: "image/jpeg", displayName: "A photograph" });
    const fileData = { fileUri: file.uri, mimeType: file.mimeType };
    const { response } = await model.generateContent([{ fileData }, "Caption this image."]);
    await files.deleteFile(file.name);
    return { text: response.text() };
  },
};

for (const flow of process.argv.slice(2)) console.log(JSON.stringify(await flows[flow]()));
