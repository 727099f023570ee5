// The guide's flows with the web build of Google's JavaScript SDK, in a page of another port: one line of JSON
// for each flow that is named. Node serves this file to the browser, which runs it and sends the lines back.
// docs: begin
import { GoogleGenAI } from "@google/genai";
const connect = (vidi) => new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl: vidi } });
// docs: end

const model = "gemini-3-flash-preview";

async function ask(flow, { vidi, detect }) {
  const ai = connect(vidi);
  const blob = async (name) => (await fetch(name)).blob();
  const picture = async (name) => {
    const file = await blob(name);
    const reader = new FileReader();
    reader.readAsDataURL(file);
    await new Promise((loaded) => { reader.onload = loaded; });
    const data = reader.result.slice(reader.result.indexOf(",") + 1);
    return { inlineData: { mimeType: file.type, data } };
  };
  const upload = async () => {
    const { uri, mimeType } = await ai.files.upload({ file: await blob("photo.jpg") });
    return { fileData: { fileUri: uri, mimeType } };
  };
  const caption = async () => [await picture("photo.jpg"), { text: "Caption this image." }];
  const json = { responseMimeType: "application/json" };
  const flows = {
    async caption() {
      return { text: (await ai.models.generateContent({ model, contents: await caption() })).text };
    },
    async stream() {
      const chunks = [];
      const stream = await ai.models.generateContentStream({ model, contents: await caption() });
      for await (const chunk of stream) chunks.push(chunk.text ?? "");
      return { chunks };
    },
    async structured() {
      const box = { type: "ARRAY", items: { type: "INTEGER" } };
      const item = { type: "OBJECT", properties: { label: { type: "STRING" }, box_2d: box }, required: ["label", "box_2d"] };
      const kind = { type: "STRING", enum: ["photograph", "drawing"] };
      const properties = { kind, items: { type: "ARRAY", items: item } };
      const responseSchema = { type: "OBJECT", properties, required: ["kind", "items"] };
      const contents = [await picture("photo.jpg"), { text: detect }];
      const answer = await ai.models.generateContent({ model, contents, config: { ...json, responseSchema } });
      return { value: JSON.parse(answer.text) };
    },
    async boxes() {
      const contents = [await picture("photo.jpg"), { text: detect }];
      return { value: JSON.parse((await ai.models.generateContent({ model, contents, config: json })).text) };
    },
    async upload() {
      const contents = [await upload(), { text: "Caption this image." }];
      return { text: (await ai.models.generateContent({ model, contents })).text };
    },
    async several() {
      const text = "What is different between these two images?";
      const contents = [{ text }, await upload(), await picture("second.png")];
      return { text: (await ai.models.generateContent({ model, contents })).text };
    },
    async tokens() {
      const contents = await caption();
      const { totalTokens } = await ai.models.countTokens({ model, contents });
      const { usageMetadata } = await ai.models.generateContent({ model, contents });
      return { value: [totalTokens, usageMetadata.promptTokenCount] };
    },
    async interaction() {
      const { inlineData } = await picture("photo.jpg");
      const image = { type: "image", data: inlineData.data, mime_type: inlineData.mimeType };
      const first = await ai.interactions.create({ model, input: [image] });
      const input = "Caption this image.";
      const again = await ai.interactions.create({ model, input, previous_interaction_id: first.id });
      await ai.interactions.delete(first.id);
      return { text: again.output_text };
    },
    async refused() {
      const wrong = ai.models.generateContent({ model: "no-such-model", contents: await caption() });
      return { value: await wrong.then(() => null, (error) => [error.status, error.message]) };
    },
  };
  return flows[flow]();
}

async function inBrowser() {
  const orders = await (await fetch("orders")).json();
  for (const flow of orders.flows) {
    const line = await ask(flow, orders).then(JSON.stringify, (error) => `${flow}: ${error.stack ?? error}`);
    await fetch("line", { method: "POST", body: line });
  }
  await fetch("end", { method: "POST" });
}

async function inNode() {
  const { createServer } = await import("node:http");
  const { spawn } = await import("node:child_process");
  const { mkdtempSync, readFileSync, rmSync, writeFileSync } = await import("node:fs");
  const { tmpdir } = await import("node:os");
  const { VIDI, PHOTO, DRAWING, DETECT, BROWSER } = process.env;

  const sdk = new URL("node_modules/@google/genai/dist/web/index.mjs", import.meta.url);
  const imports = { "@google/genai": "/sdk.mjs", "p-retry": "/p-retry.mjs" };
  const page = `<!doctype html><link rel=icon href=data:,><script type=importmap>${JSON.stringify({ imports })}</script>
    <script type=module src=client.mjs></script>`;
  const script = "text/javascript";
  const files = {
    "/": ["text/html", page],
    "/client.mjs": [script, readFileSync(new URL(import.meta.url))],
    "/sdk.mjs": [script, readFileSync(sdk)],
    // The one package that the build leaves to a bundler; it repeats calls, if asked to.
    "/p-retry.mjs": [script, "export default (run) => run(1);"],
    "/photo.jpg": ["image/jpeg", readFileSync(PHOTO)],
    "/second.png": ["image/png", readFileSync(DRAWING)],
    "/orders": ["application/json", JSON.stringify({ vidi: VIDI, detect: DETECT, flows: process.argv.slice(2) })],
  };
  const room = mkdtempSync(`${tmpdir()}/browser-`);
  let browser;
  const server = createServer(async (request, response) => {
    let said = "";
    for await (const piece of request) said += piece;
    if (request.url === "/line") console[said.startsWith("{") ? "log" : "error"](said);
    if (request.url === "/end") browser.kill();
    const [type, body] = files[request.url] ?? ["text/plain", ""];
    response.writeHead(200, { "content-type": type }).end(body);
  });
  server.listen(0, "127.0.0.1", () => {
    const url = `http://localhost:${server.address().port}/`;
    const quiet = ["app.update.enabled", "datareporting.policy.dataSubmissionEnabled", "network.captive-portal-service.enabled"];
    writeFileSync(`${room}/user.js`, quiet.map((name) => `user_pref("${name}", false);\n`).join(""));
    const flags = BROWSER.startsWith("firefox")
      ? ["--headless", "--no-remote", "--profile", room]
      : ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", `--user-data-dir=${room}`];
    setTimeout(() => browser.kill(), 200_000).unref(); // ends a hang, and measures nothing
    browser = spawn(BROWSER, [...flags, url], { stdio: "ignore", env: { ...process.env, HOME: room } });
    browser.on("exit", () => {
      server.close();
      server.closeAllConnections();
      rmSync(room, { recursive: true, force: true, maxRetries: 9, retryDelay: 100 });
    });
  });
}

await (typeof document === "undefined" ? inNode() : inBrowser());
