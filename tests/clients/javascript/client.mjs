// The guide's flows with Google's JavaScript SDK: one line of JSON for each flow that is named.
import * as fs from "node:fs";
import { createPartFromUri, createUserContent, FunctionCallingConfigMode, Type } from "@google/genai";
// docs: begin
import { GoogleGenAI } from "@google/genai";
const ai = new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl: process.env.VIDI } });
// docs: end

const model = "gemini-3-flash-preview";
const [photo, drawing] = [process.env.PHOTO, process.env.DRAWING];
const picture = (path, mimeType) => ({
  inlineData: { mimeType, data: fs.readFileSync(path, { encoding: "base64" }) },
});
const caption = [picture(photo, "image/jpeg"), { text: "Caption this image." }];
const detect = [picture(photo, "image/jpeg"), { text: process.env.DETECT }];

const item = {
  type: Type.OBJECT,
  properties: { label: { type: Type.STRING }, box_2d: { type: Type.ARRAY, items: { type: Type.INTEGER } } },
  required: ["label", "box_2d"],
};
const scene = {
  type: Type.OBJECT,
  properties: {
    kind: { type: Type.STRING, enum: ["photograph", "drawing"] },
    items: { type: Type.ARRAY, items: item },
  },
  required: ["kind", "items"],
};

const flows = {
  async caption() {
    const response = await ai.models.generateContent({ model, contents: caption });
    return { text: response.text };
  },
  async fetched() {
    const response = await fetch(process.env.PHOTO_URL);
    const data = Buffer.from(await response.arrayBuffer()).toString("base64");
    const inlineData = { mimeType: "image/jpeg", data };
    const result = await ai.models.generateContent({
      model,
      contents: [{ inlineData }, { text: "Caption this image." }],
    });
    return { text: result.text };
  },
  async https() {
    const there = createPartFromUri(process.env.HTTPS_URL, "image/png");
    const contents = createUserContent([there, "Caption this image."]);
    return { text: (await ai.models.generateContent({ model, contents })).text };
  },
  async stream() {
    const chunks = [];
    for await (const chunk of await ai.models.generateContentStream({ model, contents: caption })) {
      chunks.push(chunk.text ?? "");
    }
    return { chunks };
  },
  async structured() {
    const config = { responseMimeType: "application/json", responseSchema: scene };
    const response = await ai.models.generateContent({ model, contents: detect, config });
    return { value: JSON.parse(response.text) };
  },
  async called() {
    const functionDeclarations = [{ name: "scene", parameters: scene }];
    const toolConfig = { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } };
    const config = { tools: [{ functionDeclarations }], toolConfig };
    const response = await ai.models.generateContent({ model, contents: detect, config });
    return { value: response.functionCalls[0].args };
  },
  async tools() {
    const functionDeclarations = [
      { name: "look", parametersJsonSchema: { type: "object", properties: { at: { type: "integer" } } } },
    ];
    const chat = ai.chats.create({ model, config: { tools: [{ functionDeclarations }] } });
    const text = process.env.USE_A_TOOL;
    const asked = await chat.sendMessage({ message: [caption[0], { text }] });
    const message = asked.functionCalls.map(({ id, name, args }) => ({
      functionResponse: { id, name, response: { seen: args.at } },
    }));
    return { text: (await chat.sendMessage({ message })).text };
  },
  async boxes() {
    const config = { responseMimeType: "application/json" };
    const response = await ai.models.generateContent({ model, contents: detect, config });
    return { value: JSON.parse(response.text) };
  },
  async upload() {
    const file = await ai.files.upload({ file: photo, config: { mimeType: "image/jpeg" } });
    const response = await ai.models.generateContent({
      model,
      contents: createUserContent([createPartFromUri(file.uri, file.mimeType), "Caption this image."]),
    });
    await ai.files.delete({ name: file.name });
    return { text: response.text };
  },
  async several() {
    const file = await ai.files.upload({ file: photo, config: { mimeType: "image/jpeg" } });
    const response = await ai.models.generateContent({
      model,
      contents: createUserContent([
        "What is different between these two images?",
        createPartFromUri(file.uri, file.mimeType),
        picture(drawing, "image/png"),
      ]),
    });
    return { text: response.text };
  },
  async tokens() {
    const { totalTokens } = await ai.models.countTokens({ model, contents: caption });
    const { usageMetadata } = await ai.models.generateContent({ model, contents: caption });
    return { value: [totalTokens, usageMetadata.promptTokenCount] };
  },
  async interaction() {
    const data = fs.readFileSync(photo, { encoding: "base64" });
    const image = { type: "image", data, mime_type: "image/jpeg" };
    const first = await ai.interactions.create({ model, input: [image] });
    const again = await ai.interactions.create({
      model,
      input: "Caption this image.",
      previous_interaction_id: first.id,
    });
    await ai.interactions.delete(first.id);
    return { text: again.output_text };
  },
  async refused() {
    const wrong = ai.models.generateContent({ model: "no-such-model", contents: caption });
    return { value: await wrong.then(() => null, (error) => [error.status, error.message]) };
  },
};

for (const flow of process.argv.slice(2)) console.log(JSON.stringify(await flows[flow]()));
