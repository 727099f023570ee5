// Drives a browser from another process: one JSON request a line in, one JSON answer a line out.
//
// Its arguments are "chromium" or "firefox" and the browser's program. Firefox is a stock one, driven by WebDriver
// BiDi, which cannot grant permissions and knows no dark mode but that of its start: there is a second Firefox for it.
//
// {"open": {context options}, "script": "runs before the page"} opens a page of its own.
// {"call": "name", "args": [...]} calls a method of that page; {"drop": [files]} drops files on it.
// {"dropFolder": "folder"} drops a folder: in Chromium as the system does it, in Firefox as its script would see it.
// {"download": "selector"} clicks there and gives the file's name and its bytes in base64.
// {"violations": true} gives what axe-core has against the page.
// {"wait": "expression"} waits until the expression holds.
// {"seen": true} gives what the page has said and asked since it was opened.

import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import axe from 'axe-core';
import { chromium, firefox } from 'playwright-core';

// Ends a hang, in milliseconds; it measures nothing.
const HANG = 300_000;

const [kind, executablePath] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'saved-'));
const DARK = 0;
const LIGHT = 1;
const start = (scheme) => (kind === 'firefox'
  ? firefox.launch({
    executablePath, channel: 'moz-firefox', downloadsPath: folder,
    firefoxUserPrefs: {
      'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true,
      'layout.css.prefers-color-scheme.content-override': scheme,
    },
  })
  : chromium.launch({
    executablePath,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--no-first-run', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    ],
  }));
const browser = await start(LIGHT);
let darkFirefox = null;
let page = null;
let seen = null;

async function contextWith(options) {
  if (kind !== 'firefox' || options.colorScheme !== 'dark') return browser.newContext(options);
  darkFirefox ??= await start(DARK);
  return darkFirefox.newContext(options);
}

// WebDriver BiDi tells nothing of a blob that is downloaded: Firefox's file is looked for where it is to lie.
async function fileThatComes(act) {
  const before = new Set(await readdir(folder));
  await act();
  for (const end = Date.now() + HANG; ;) {
    const names = await readdir(folder);
    const name = names.find((each) => !before.has(each) && !each.endsWith('.part'));
    // Firefox makes an empty file of that name first, and beside it one that ends in `.part` while it writes.
    if (name && !names.some((each) => each.endsWith('.part'))) {
      const content = await readFile(join(folder, name));
      if (content.length) {
        await rm(join(folder, name)); // the next of that name is not to be "name(1)"
        return [name, content.toString('base64')];
      }
    }
    if (Date.now() > end) throw new Error('no file has come');
    await new Promise((resolve) => { setTimeout(resolve, 15); });
  }
}

// A folder as values: {name, data} for a file, {name, children} for a folder.
async function treeOf(path) {
  const name = basename(path);
  if ((await stat(path)).isFile()) return { name, data: (await readFile(path)).toString('base64') };
  const children = await readdir(path);
  return { name, children: await Promise.all(children.map((each) => treeOf(join(path, each)))) };
}

// WebDriver BiDi drops nothing on Firefox, and a script cannot put a folder into a drop: the one item of this drop
// says of itself what a folder's would. A reader gives its entries one at a time, as browsers may.
function scriptedDrop(tree) {
  const fileOf = ({ name, data }) => new File([Uint8Array.from(atob(data), (each) => each.charCodeAt(0))], name);
  const entryOf = (node) => (node.children
    ? {
      isFile: false, isDirectory: true, name: node.name,
      createReader() {
        const left = node.children.map(entryOf);
        return { readEntries: (done) => setTimeout(done, 0, left.splice(0, 1)) };
      },
    }
    : { isFile: true, isDirectory: false, name: node.name, file: (done) => setTimeout(done, 0, fileOf(node)) });
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([], tree.name));
  DataTransferItem.prototype.webkitGetAsEntry = () => entryOf(tree);
  for (const type of ['dragover', 'drop']) {
    document.querySelector('#stage').dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }
}

const does = {
  async open(options, { script = '' }) {
    await page?.context().close();
    const context = await contextWith(options);
    if (script) await context.addInitScript({ content: script });
    page = await context.newPage();
    seen = { errors: [], requests: [] };
    page.on('pageerror', ({ message }) => seen.errors.push(message));
    page.on('console', (said) => { if (said.type() === 'error') seen.errors.push(said.text()); });
    page.on('request', (request) => seen.requests.push(request.url()));
    page.setDefaultTimeout(HANG);
  },
  async call(name, { args = [] }) {
    const value = await page[name](...args);
    return ['string', 'number', 'boolean'].includes(typeof value) || Array.isArray(value) || name === 'evaluate' ? value : null;
  },
  // Playwright's own waiting needs `eval`, which the page's policy forbids; its `evaluate` does not.
  async wait(condition) {
    for (const end = Date.now() + HANG; !(await page.evaluate(condition));) {
      if (Date.now() > end) throw new Error(`waited in vain for: ${condition}`);
      await new Promise((resolve) => { setTimeout(resolve, 15); });
    }
  },
  async drop(paths) {
    const files = await Promise.all(
      paths.map(async (path) => ({ name: basename(path), data: (await readFile(path)).toString('base64') })),
    );
    const transfer = await page.evaluateHandle((all) => {
      const carried = new DataTransfer();
      for (const { name, data } of all) {
        carried.items.add(new File([Uint8Array.from(atob(data), (each) => each.charCodeAt(0))], name));
      }
      return carried;
    }, files);
    await page.dispatchEvent('#stage', 'dragover', { dataTransfer: transfer });
    await page.dispatchEvent('#stage', 'drop', { dataTransfer: transfer });
  },
  async dropFolder(path) {
    if (kind === 'firefox') {
      await page.evaluate(scriptedDrop, await treeOf(path));
      return;
    }
    const session = await page.context().newCDPSession(page);
    const { x, y } = await page.locator('#stage').boundingBox();
    const data = { items: [], files: [path], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop']) {
      await session.send('Input.dispatchDragEvent', { type, x: x + 20, y: y + 20, data });
    }
    await session.detach();
  },
  async download(selector) {
    if (kind === 'firefox') return fileThatComes(() => page.click(selector));
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
    return [file.suggestedFilename(), (await readFile(await file.path())).toString('base64')];
  },
  // What axe-core finds, by its usual rules: a line a violation.
  async violations() {
    await page.evaluate(`${axe.source};0`); // its own value would be carried over
    const { violations } = await page.evaluate('axe.run()');
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
  },
  seen: () => seen,
};

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ version: browser.version() });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const [name] = Object.keys(request);
  try {
    say({ value: (await does[name](request[name], request)) ?? null });
  } catch (error) {
    say({ error: error.message });
  }
}
await browser.close();
await darkFirefox?.close();
await rm(folder, { recursive: true });
