// The page: a form, the answer to it, and what was asked before.

import { base, count, keptKey, models, Refusal, useKey } from './api.js';
import { LANGUAGES } from './code.js';
import { $, button, element, miniature } from './elements.js';
import { language as tongue, say, speak, TONGUES, translate } from './language.js';
import { Overlay } from './overlay.js';
import { bodyOf, EXAMPLES, PLACES } from './prompt.js';
import { schemaOf, SCHEMAS } from './schema.js';
import { Stage } from './stage.js';
import { answer, foundNothing, inShort, newTurn, statsOf } from './turn.js';

/** Any Gemini name is the default model, at Gemini's prices in tokens. */
const ALIAS = 'gemini-3-flash-preview';

const HISTORY = 30;

let entry = null; // the turn whose answer is shown
let run = null; // the AbortController of the answer that is coming
let keyed = false; // whether the server wants a key
let language = 'Python';

const overlay = new Overlay({
  layer: $('layer'), legend: $('legend'), slider: $('threshold'), sliderLabel: $('threshold-label'),
  readout: $('readout'), panel: $('found'), list: $('items'),
  onshown: () => { $('save-picture').hidden = !overlay.shown.length || $('picture').hidden; },
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
  system: $('system').value.trim(),
  temperature: $('temperature').value === '' ? null : Number($('temperature').value),
  thinking: $('thinking').checked,
  typed: $('schema').value,
  ...schemaOf($('schema').value),
  before: [],
});

function fill({ pictures, prompt, as, model, resolution, system, temperature, thinking, typed }) {
  $('prompt').value = prompt;
  $('system').value = system;
  $('temperature').value = temperature ?? '';
  $('thinking').checked = thinking;
  $('schema').value = typed;
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
  $('shape').hidden = form.as !== 'json';
  $('schema').setAttribute('aria-invalid', String(Boolean(form.fault)));
  $('schema-state').textContent = form.fault || (form.schema ? say('schemaFits') : '');
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

async function ask(form = read()) {
  const wrong = form.as === 'json' ? form.fault : '';
  if (wrong || (!form.pictures.length && !form.prompt)) {
    notice(wrong || say('emptyForm'));
    return;
  }
  run?.abort();
  stopCounting();
  notice('');
  const mine = entry = newTurn(form);
  const controller = run = new AbortController();
  present();
  busy(true);
  bringIntoSight();
  mine.notice = await answered(mine, controller.signal);
  if (mine.messages.length) remember(mine);
  if (run === controller) busy(false);
  if (mine !== entry) return;
  notice(mine.notice);
  conclude();
}

/** On a narrow screen the answer is out of sight; the picture stands above it. */
function bringIntoSight() {
  if (matchMedia('(max-width: 60rem)').matches) $(entry.form.pictures.length ? 'stage' : 'reply').scrollIntoView({ block: 'start' });
}

/** Hear the whole answer. Gives a sentence for what is wrong with it, or "". */
async function answered(mine, signal) {
  try {
    if (!$('model').dataset.loaded) await loadModels();
    return await answer(mine, signal, hear);
  } catch (error) {
    return signal.aborted ? say('stopped') : complaint(error, mine.form.pictures);
  }
}

/** One message has come: text to the page, complete objects to the picture. */
function hear(mine, text, shapes) {
  if (mine !== entry) return;
  const [{ usageMetadata }] = mine.messages;
  if (mine.messages.length === 1) $('count').textContent = say('tokens', { tokens: usageMetadata?.promptTokenCount ?? 0 });
  $('answer').firstChild.appendData(text);
  $('stats').textContent = statsOf(mine);
  think();
  draw(shapes);
}

function think() {
  $('thoughts').hidden = !entry.thoughts;
  $('thoughts').lastElementChild.textContent = entry.thoughts;
}

function draw(shapes) {
  overlay.add(shapes);
  // A list of what was found says more than its JSON.
  if (shapes.length && entry.form.as in PLACES) $('answer').hidden = true;
}

/** What stands below an answer that has come to its end. */
function conclude() {
  const nothing = foundNothing(entry);
  $('nothing').hidden = !nothing;
  $('nothing').textContent = nothing ? say('nothing') : '';
  if (nothing) $('answer').hidden = true;
  $('keepers').hidden = $('follow').hidden = !entry.text.trim() || Boolean(run);
  $('save-picture').hidden = !overlay.shown.length || $('picture').hidden;
  fillRaw();
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
  const { form, text } = entry;
  $('reply').hidden = $('raw').hidden = false;
  document.body.classList.add('answered');
  overlay.clear();
  $('thread').replaceChildren(...form.before.map((turn) => element(
    'li', {}, questionOf(turn), element('p', { textContent: inShort(turn) }),
  )));
  $('asked').hidden = !form.before.length;
  $('asked').replaceChildren(...questionOf(entry).childNodes);
  $('answer').hidden = false;
  $('answer').replaceChildren(new Text(text));
  $('answer').classList.toggle('code', form.as !== 'text');
  $('stats').textContent = statsOf(entry);
  stage.show();
  think();
  draw(entry.shapes);
  conclude();
}

// --- a conversation

/** A question of the conversation, with a way to ask it differently from there on. */
function questionOf(turn) {
  const question = turn.form.prompt || say('noQuestion');
  const edit = button(say('edit'), () => revise(turn), 'quiet');
  edit.setAttribute('aria-label', say('editQuestion', { question }));
  return element('p', { className: 'question' }, element('b', { textContent: question }), ' ', edit);
}

/** Go back to before a turn, with its question in the form. */
function revise(turn) {
  const { form } = turn;
  run?.abort();
  busy(false);
  notice('');
  fill(form);
  if (form.before.length) {
    entry = form.before.at(-1);
    $('prompt').value = entry.form.prompt;
    present();
    $('next').value = form.prompt;
  }
  changed();
  $(form.before.length ? 'next' : 'prompt').focus();
}

/** Ask further: the pictures stay those of the conversation, the settings are those of the form. */
function follow() {
  const prompt = $('next').value.trim();
  if (!prompt || run) return;
  const { pictures, before } = entry.form;
  $('next').value = '';
  if (stage.pictures.some((each, at) => each !== pictures[at]) || pictures.length > stage.pictures.length) stage.replace(pictures);
  ask({ ...read(), prompt, pictures, before: [...before, entry] });
}

/** The stream's messages, one a line; written only while someone looks. */
function fillRaw() {
  const open = $('raw').open && entry;
  $('raw').lastElementChild.textContent = open ? entry.messages.map((each) => JSON.stringify(each)).join('\n') : '';
}

// --- history

function remember(done) {
  const { form } = done;
  const line = (textContent) => element('span', { textContent });
  const restore = button('', () => {
    run?.abort();
    busy(false);
    entry = done;
    fill({ ...form, prompt: (form.before[0]?.form ?? form).prompt });
    present();
    notice(done.notice);
    changed();
  });
  restore.append(
    ...form.pictures.slice(0, 3).map(miniature),
    element('span', {}, line(form.prompt || say('noQuestion')), line(inShort(done).slice(0, 120))),
  );
  const list = $('history').lastElementChild;
  done.item = element('li', {}, restore);
  form.before.at(-1)?.item?.remove(); // the conversation has gone on
  list.prepend(done.item);
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

/** What is saved of an answer: its JSON, or its text with its question. */
function valueOf({ form, text, messages }) {
  try {
    if (form.as !== 'text') return JSON.parse(text);
  } catch { /* JSON that broke off is text */ }
  return { model: messages.at(-1)?.modelVersion ?? form.model, question: form.prompt, answer: text };
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
  $('schemas').replaceChildren(...Object.entries(SCHEMAS).map(([name, schema]) => button(say(name), () => {
    $('schema').value = JSON.stringify(schema, null, 2);
    changed();
    $('schema').focus();
  })));
  stage.show();
  if (entry) present();
  changed();
}

// --- wiring

function wireForm() {
  $('form').onsubmit = (event) => { event.preventDefault(); ask(); };
  $('form').oninput = changed;
  $('prompt').onkeydown = (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) ask();
  };
  $('follow').onsubmit = (event) => { event.preventDefault(); follow(); };
  $('next').onkeydown = (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); follow(); }
  };
  $('save-picture').onclick = async () => {
    const { annotated, download, nameFor } = await import('./save.js');
    download(nameFor(stage.active, '-found.png'), await annotated($('picture'), overlay.shown));
  };
  $('save-answer').onclick = async () => {
    const { download, jsonFile, nameFor } = await import('./save.js');
    download(nameFor(stage.active, '.json'), jsonFile(valueOf(entry)));
  };
  $('stop').onclick = () => run?.abort();
  addEventListener('keydown', ({ key }) => { if (key === 'Escape' && !$('shutter').open) run?.abort(); });
  $('key-field').onsubmit = (event) => { event.preventDefault(); useKey($('key').value, $('keep').checked); meet(); };
  $('key').onchange = $('keep').onchange = () => $('key-field').requestSubmit();
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
if (keptKey()) {
  $('key').value = keptKey();
  $('keep').checked = true;
  $('key-field').hidden = false;
  keyed = true;
}
meet();
