// The page: a form, the answer to it, and what was asked before.

import { base, count, models, Refusal, stream, useKey } from './api.js';
import { LANGUAGES } from './code.js';
import { $, button, element, miniature } from './elements.js';
import { inDigits, language as tongue, say, speak, TONGUES, translate } from './language.js';
import { Overlay } from './overlay.js';
import { bodyOf, EXAMPLES, PLACES } from './prompt.js';
import { Scanner } from './shapes.js';
import { Stage } from './stage.js';

/** Any Gemini name is the default model, at Gemini's prices in tokens. */
const ALIAS = 'gemini-3-flash-preview';

const HISTORY = 30;

/** Why an answer ended before its end: the key of what is said about it. */
const ENDINGS = { MAX_TOKENS: 'endedLength', SAFETY: 'endedSafety', RECITATION: 'endedRecitation' };

let entry = null; // the question whose answer is shown: {form, text, shapes, messages, stats, notice, scanner}
let run = null; // the AbortController of the answer that is coming
let keyed = false; // whether the server wants a key
let language = 'Python';

const overlay = new Overlay({
  layer: $('layer'), legend: $('legend'), slider: $('threshold'), sliderLabel: $('threshold-label'),
  readout: $('readout'), panel: $('found'), list: $('items'),
});
const stage = new Stage({
  onshow: (picture) => overlay.turnTo(entry ? entry.form.pictures.indexOf(picture) : -1),
  onchange: () => changed(),
});

// --- what is said when something fails

function notice(text) {
  $('notice').textContent = text;
  $('notice').hidden = !text;
}

/** The server names a picture by its place in the request; people know it by its file. */
const withNames = (message, pictures) => message
  .replace(/^Unable to process input image\. /, '')
  .replace(/(the picture at )?(?:generate_content_request\.)?contents\[0\]\.parts\[(\d+)\](\.\w+)?/gi, (place, _, index) =>
    (pictures[index] ? `“${pictures[index].name}”` : place));

function complaint(error, pictures) {
  if (!(error instanceof Refusal)) {
    console.error(error);
    return say('wentWrong');
  }
  if (error.key) showKeyField();
  return withNames(error.message, pictures);
}

function showKeyField() {
  keyed = true;
  if ($('key-field').hidden) {
    $('key-field').hidden = false;
    $('key').focus();
  }
  write();
}

// --- the form

const read = () => ({
  pictures: [...stage.pictures],
  prompt: $('prompt').value.trim(),
  as: document.querySelector('[name=as]:checked').value,
  model: $('model').value,
  resolution: $('resolution').value,
});

function fill({ pictures, prompt, as, model, resolution }) {
  $('prompt').value = prompt;
  document.querySelector(`[name=as][value=${as}]`).checked = true;
  $('model').value = model;
  $('resolution').value = resolution;
  stage.replace(pictures);
}

async function take(files) {
  notice((await stage.take(files)).join(' '));
}

let counting = new AbortController();
let soon = 0;

function stopCounting() {
  clearTimeout(soon);
  counting.abort();
}

/** Make anew what depends on the form: the code at once, the token count when typing pauses. */
function changed() {
  write();
  stopCounting();
  const form = read();
  const bytes = form.pictures.reduce((sum, { size }) => sum + size, 0);
  if (form.pictures.length || form.prompt) soon = setTimeout(recount, Math.min(2000, 300 + bytes / 20_000), form);
  else $('count').textContent = '';
}

async function recount(form) {
  const { signal } = counting = new AbortController();
  let said = '';
  try {
    said = say('tokens', { tokens: await count(form.model, await bodyOf(form), signal) });
  } catch (error) {
    if (!signal.aborted) notice(complaint(error, form.pictures));
  }
  if (!signal.aborted) $('count').textContent = said;
}

// --- the answer

async function ask() {
  const form = read();
  if (!form.pictures.length && !form.prompt) {
    notice(say('emptyForm'));
    return;
  }
  run?.abort();
  stopCounting();
  notice('');
  const mine = entry = { form, text: '', shapes: [], messages: [], stats: '', notice: '', scanner: new Scanner() };
  const controller = run = new AbortController();
  present();
  busy(true);
  // On a narrow screen the answer is out of sight: places are on the picture, words below the form.
  if (matchMedia('(max-width: 60rem)').matches) $(form.as in PLACES ? 'stage' : 'reply').scrollIntoView({ block: 'nearest' });
  mine.notice = await answered(mine, controller.signal);
  if (mine.messages.length) remember(mine);
  if (run === controller) busy(false);
  if (mine !== entry) return;
  notice(mine.notice);
  fillRaw();
}

/** Hear the whole answer. Gives a sentence for what is wrong with it, or "". */
async function answered(mine, signal) {
  const { form } = mine;
  const began = performance.now();
  let first = 0;
  try {
    if (!$('model').dataset.loaded) await loadModels();
    for await (const message of stream(form.model, await bodyOf(form), signal)) {
      hear(mine, message);
      first ||= mine.text ? performance.now() - began : 0;
      mine.stats = statsOf(mine, first, performance.now() - began);
      if (mine === entry) $('stats').textContent = mine.stats;
    }
    return ending(mine);
  } catch (error) {
    return signal.aborted ? say('stopped') : complaint(error, form.pictures);
  }
}

/** Take one message of the stream: text to the page, complete objects to the picture. */
function hear(mine, message) {
  mine.messages.push(message);
  const parts = message.candidates?.[0]?.content?.parts ?? [];
  const text = parts.filter(({ thought }) => !thought).map((part) => part.text ?? '').join('');
  const shapes = mine.scanner.push(text);
  mine.text += text;
  mine.shapes.push(...shapes);
  if (mine !== entry) return;
  if (mine.messages.length === 1) $('count').textContent = say('tokens', { tokens: message.usageMetadata?.promptTokenCount ?? 0 });
  $('answer').firstChild.appendData(text);
  draw(shapes);
}

function draw(shapes) {
  overlay.add(shapes);
  // A list of what was found says more than its JSON.
  if (shapes.length && entry.form.as in PLACES) $('answer').hidden = true;
}

function ending({ messages, text }) {
  const last = messages.at(-1);
  const reason = last.candidates?.[0]?.finishReason ?? last.promptFeedback?.blockReason;
  if (text.trim()) return ENDINGS[reason] ? say(ENDINGS[reason]) : '';
  return say('endedEmpty', { reason });
}

function statsOf({ messages }, first, total) {
  const { usageMetadata: usage = {}, modelVersion = '' } = messages.at(-1);
  const seconds = (time) => inDigits(time / 1000, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return [
    modelVersion,
    say('tokensIn', { tokens: usage.promptTokenCount ?? 0 }),
    say('tokensOut', { tokens: usage.candidatesTokenCount ?? 0 }),
    first && say('firstAfter', { seconds: seconds(first) }),
    say('allAfter', { seconds: seconds(total) }),
  ].filter(Boolean).join(' · ');
}

function busy(on) {
  const focused = document.activeElement === $(on ? 'send' : 'stop');
  if (!on) run = null;
  $('stop').hidden = !on;
  $('send').hidden = on;
  if (focused) $(on ? 'stop' : 'send').focus();
  $('answer').setAttribute('aria-busy', String(on));
  $('reply').classList.toggle('busy', on);
}

/** Put the entry's answer on the page. */
function present() {
  $('reply').hidden = $('raw').hidden = false;
  overlay.clear();
  $('answer').hidden = false;
  $('answer').replaceChildren(new Text(entry.text));
  $('answer').classList.toggle('code', entry.form.as !== 'text');
  $('stats').textContent = entry.stats;
  stage.show();
  draw(entry.shapes);
  fillRaw();
}

/** The stream's messages, one a line; written only while someone looks. */
function fillRaw() {
  const open = $('raw').open && entry;
  $('raw').lastElementChild.textContent = open ? entry.messages.map((each) => JSON.stringify(each)).join('\n') : '';
}

// --- history

function remember(done) {
  const { form, text, shapes } = done;
  const found = form.as in PLACES && [...new Set(shapes.map(({ label }) => label))].join(', ');
  const line = (textContent) => element('span', { textContent });
  const restore = button('', () => {
    run?.abort();
    entry = done;
    fill(form);
    present();
    busy(false);
    notice(done.notice);
    changed();
  });
  restore.append(
    ...form.pictures.slice(0, 3).map(miniature),
    element('span', {}, line(form.prompt || say('noQuestion')), line((found || text).slice(0, 120) || done.notice)),
  );
  const list = $('history').lastElementChild;
  list.prepend(element('li', {}, restore));
  if (list.children.length > HISTORY) list.lastChild.remove();
  $('history').hidden = false;
}

// --- code

function write() {
  if ($('code').open) $('source').textContent = LANGUAGES[language](read(), base, keyed);
  for (const each of $('languages').children) each.setAttribute('aria-pressed', String(each.textContent === language));
}

async function copy() {
  let said = say('copied');
  try {
    await navigator.clipboard.writeText($('source').textContent);
  } catch {
    // Without TLS a page may not write to the clipboard; the text is selected instead.
    getSelection().selectAllChildren($('source'));
    if (!document.execCommand('copy')) said = say('pressCopy');
  }
  $('copy').textContent = said;
  setTimeout(() => { $('copy').textContent = say('copy'); }, 1500);
}

// --- models, camera, theme

async function loadModels() {
  const found = await models();
  const ids = [...found.map(({ name }) => name.replace('models/', '')), ALIAS];
  const before = $('model').dataset.loaded ? $('model').value : '';
  $('model').replaceChildren(...ids.map((id, index) => new Option(found[index]?.displayName || id, id)));
  $('model').value = ids.includes(before) ? before : ids[0];
  $('model').dataset.loaded = 'true';
}

async function meet() {
  try {
    await loadModels();
    notice('');
  } catch (error) {
    notice(complaint(error, []));
  }
  changed();
}

async function photograph() {
  const { takePicture } = await import('./camera.js');
  try {
    const file = await takePicture($('shutter'));
    if (file) await take([file]);
  } catch {
    notice(say('noCamera'));
  }
}

async function offerCamera() {
  const devices = await navigator.mediaDevices?.enumerateDevices().catch(() => []);
  $('camera').hidden = !devices?.some(({ kind }) => kind === 'videoinput');
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  $('theme').setAttribute('aria-pressed', String(dark));
}

/** Say everything anew, in the language that the page now speaks. */
function settle() {
  translate();
  $('tongues').replaceChildren(...Object.entries(TONGUES).map(([id, name]) => {
    const each = button(name, () => { speak(id); settle(); $('tongues').querySelector('[aria-pressed=true]').focus(); }, 'quiet');
    each.lang = id;
    each.setAttribute('aria-pressed', String(id === tongue));
    return each;
  }));
  $('examples').replaceChildren(...EXAMPLES.map(([name, as, asks]) => button(say(name), () => {
    fill({ ...read(), prompt: say(asks), as });
    changed();
    $('prompt').focus();
  })));
  stage.show();
  changed();
}

// --- wiring

function wireForm() {
  $('form').onsubmit = (event) => { event.preventDefault(); ask(); };
  $('form').oninput = changed;
  $('prompt').onkeydown = (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) ask();
  };
  $('stop').onclick = () => run?.abort();
  addEventListener('keydown', ({ key }) => { if (key === 'Escape' && !$('shutter').open) run?.abort(); });
  $('key-field').onsubmit = (event) => { event.preventDefault(); useKey($('key').value); meet(); };
  $('key').onchange = () => $('key-field').requestSubmit();
}

function wirePictures() {
  $('files').onchange = async () => { await take([...$('files').files]); $('files').value = ''; };
  $('camera').onclick = photograph;
  addEventListener('paste', (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) { event.preventDefault(); take(files); }
  });
  const over = (event, on) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    $('stage').classList.toggle('over', on);
  };
  addEventListener('dragover', (event) => over(event, true));
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) over(event, false); });
  addEventListener('drop', (event) => {
    over(event, false);
    take([...event.dataTransfer.files]);
  });
}

function wireRest() {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  $('theme').setAttribute('aria-pressed', String(dark.matches));
  $('theme').onclick = () => setTheme($('theme').getAttribute('aria-pressed') === 'false');
  $('raw').ontoggle = fillRaw;
  $('code').ontoggle = write;
  $('copy').onclick = copy;
  $('languages').append(...Object.keys(LANGUAGES).map((name) => button(name, () => { language = name; write(); })));
}

$('model').append(new Option(ALIAS, ALIAS));
settle();
wireForm();
wirePictures();
wireRest();
offerCamera();
meet();
