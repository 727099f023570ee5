// The page: a form, the answer to it, and what was asked before.

import { base, count, keptKey, models, Refusal, useKey } from './api.js';
import { LANGUAGES } from './code.js';
import { $, button, element, miniature } from './elements.js';
import { carried } from './folders.js';
import { language as tongue, say, speak, TONGUES, translate } from './language.js';
import { Overlay } from './overlay.js';
import { isNamedPicture } from './pictures.js';
import { bodyOf, EXAMPLES, PLACES } from './prompt.js';
import { valueOf } from './rows.js';
import { sampleFile, SAMPLES } from './samples.js';
import { schemaOf, SCHEMAS } from './schema.js';
import { Stage } from './stage.js';
import { answer, foundNothing, inShort, newTurn, statsOf } from './turn.js';

/** Any Gemini name is the default model, at Gemini's prices in tokens. */
const ALIAS = 'gemini-3-flash-preview';

const HISTORY = 30;

/** From so many pictures at once on, each is asked about by itself, unless a person says otherwise. */
const MANY = 5;

/** Most pictures that are opened at once. */
const MOST = 1000;

let entry = null; // the turn whose answer is shown
let run = null; // the AbortController of the answer that is coming
let keyed = false; // whether the server wants a key
let language = 'Python';
let versus = null; // the Versus of two models, once there was one
let batch = null; // the Batch of the last question about each picture

const overlay = new Overlay({
  layer: $('layer'), legend: $('legend'), slider: $('threshold'), sliderLabel: $('threshold-label'),
  readout: $('readout'), panel: $('found'), list: $('items'), veil: $('veil'),
  onshown: () => { $('save-picture').hidden = !overlay.shown.length || $('picture').hidden; },
});
const stage = new Stage({
  onshow: (picture) => {
    const turn = batch?.about(picture);
    if (turn?.messages.length && entry?.form.pictures[0] !== picture) {
      pick(turn);
      return;
    }
    overlay.turnTo(entry ? entry.form.pictures.indexOf(picture) : -1);
    versus?.turnTo(picture);
  },
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
  modelName: $('model').selectedOptions[0].textContent,
  rival: $('rival').value,
  rivalName: $('rival').selectedOptions[0].textContent,
  each: $('each').checked && stage.pictures.length > 1,
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
  putBack(pictures);
}

/** Have these pictures in the form, unless they are among those that a table is about. */
function putBack(pictures) {
  if (!batch || !pictures.every((each) => stage.pictures.includes(each))) stage.replace(pictures);
}

async function take(files) {
  const pictures = files.slice(0, MOST);
  const many = pictures.length >= MANY;
  const opening = (done) => {
    $('progress').max = pictures.length;
    $('progress').value = done;
    $('progress-text').textContent = say('opening', { done, all: pictures.length });
  };
  $('strip-progress').hidden = !many;
  const refused = await stage.take(pictures, many ? opening : undefined);
  $('strip-progress').hidden = true;
  if (many && stage.pictures.length >= MANY) {
    $('each').checked = true;
    changed();
  }
  const said = refused.map((error) => complaint(error, []));
  if (files.length > MOST) said.push(say('leftOut', { most: MOST }));
  notice(said.join(' '));
}

/** The pictures of a folder, by name; whatever else lies there is left. */
async function takeFolder(files) {
  await take(files.filter(isNamedPicture).sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true })));
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
  $('each-field').hidden = form.pictures.length < 2;
  $('schema').setAttribute('aria-invalid', String(Boolean(form.fault)));
  $('schema-state').textContent = form.fault || (form.schema ? say('schemaFits') : '');
  const bytes = (form.each ? form.pictures.slice(0, 1) : form.pictures).reduce((sum, { size }) => sum + size, 0);
  if (form.pictures.length || form.prompt) soon = setTimeout(recount, Math.min(2000, 300 + bytes / 20_000), form);
  else $('count').textContent = '';
}

async function recount(form) {
  const { signal } = counting = new AbortController();
  const counted = form.each ? { ...form, pictures: form.pictures.slice(0, 1) } : form;
  let said = '';
  try {
    said = say(form.each ? 'tokensEach' : 'tokens', { tokens: await count(form.model, await bodyOf(counted), signal) });
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
  if (!form.before.length) clearResults();
  if (form.rival && !form.before.length) await askBoth(form);
  else if (form.each && !form.before.length) await askEach(form);
  else await askOne(form);
}

async function askOne(form) {
  const mine = entry = newTurn(form);
  const controller = run = new AbortController();
  present();
  busy(true);
  bringIntoSight(form.pictures.length ? 'stage' : 'reply');
  mine.notice = await answered(mine, controller.signal, hear);
  if (mine.messages.length) remember(mine);
  if (run === controller) busy(false);
  if (mine !== entry) return;
  notice(mine.notice);
  conclude();
}

/** Ask two models the same, and show them beside each other. */
async function askBoth(form) {
  if (form.rival === form.model) {
    notice(say('sameModel'));
    return;
  }
  const turns = [form, { ...form, model: form.rival, modelName: form.rivalName }].map((each) => newTurn({ ...each, rival: '', each: false }));
  const controller = run = new AbortController();
  busy(true);
  const { Versus } = await import('./versus.js');
  versus ??= new Versus($('versus'), goOn);
  forget();
  versus.show(turns, stage.active);
  $('versus').scrollIntoView({ block: 'start' });
  await Promise.all(turns.map(async (turn) => {
    turn.notice = await answered(turn, controller.signal, (_, text, shapes) => versus.hear(turn, text, shapes));
    turn.closed = true;
    versus.end(turn);
    if (turn.messages.length) remember(turn, turn.form.modelName);
  }));
  if (run === controller) busy(false);
}

/** Leave the comparison, and ask one of its models further. */
function goOn(turn) {
  versus.close();
  entry = turn;
  $('rival').value = '';
  $('model').value = turn.form.model;
  present();
  changed();
  $('next').focus();
}

/** Ask about each picture by itself. */
async function askEach(form) {
  busy(true); // before anything is waited for: a second press of the button would be a second question
  const { Batch } = await import('./batch.js');
  forget();
  batch = new Batch({ ...form, each: false, rival: '' }, {
    room: $('table'), onmark: (picture, state) => stage.mark(picture, state), onpick: (turn) => { pick(turn); $('stage').scrollIntoView({ block: 'nearest' }); }, onagain: runBatch,
  });
  await runBatch();
}

async function runBatch() {
  const mine = batch;
  run?.abort();
  const controller = run = new AbortController();
  const { signal } = controller;
  busy(true);
  $('strip-progress').hidden = false;
  bringIntoSight('stage');
  await mine.run(async (turn) => {
    try {
      return await answer(turn, signal, () => {});
    } catch (error) {
      if (error instanceof Refusal && error.wait && !turn.messages.length && !signal.aborted) throw error;
      return signal.aborted ? say('stopped') : complaint(error, turn.form.pictures);
    }
  }, signal);
  if (run !== controller) return;
  busy(false);
  notice(signal.aborted ? say('stopped') : '');
  if (batch === mine && !entry) stage.show();
}

/** Show one answer of many as if it had been asked alone. */
function pick(turn) {
  entry = turn;
  const [picture] = turn.form.pictures;
  if (stage.pictures.includes(picture)) stage.active = picture;
  notice(turn.notice);
  present();
}

/** Take the shown answer off the page. */
function forget() {
  entry = null;
  overlay.clear();
  $('reply').hidden = $('raw').hidden = true;
  document.body.classList.remove('answered');
}

/** Take the table and the comparison off the page. */
function clearResults() {
  batch?.close();
  batch = null;
  stage.unmark();
  $('strip-progress').hidden = true;
  versus?.close();
}

/** On a narrow screen the answer is out of sight; the picture stands above it. */
function bringIntoSight(id) {
  if (matchMedia('(max-width: 60rem)').matches) $(id).scrollIntoView({ block: 'start' });
}

/** Hear the whole answer. Gives a sentence for what is wrong with it, or "". */
async function answered(mine, signal, heard) {
  try {
    if (!$('model').dataset.loaded) await loadModels();
    return await answer(mine, signal, heard);
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
  if (focused) $(on ? 'stop' : 'send').focus({ preventScroll: true });
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
  if (stage.pictures.some((each, at) => each !== pictures[at]) || pictures.length > stage.pictures.length) putBack(pictures);
  ask({ ...read(), prompt, pictures, before: [...before, entry] });
}

/** The stream's messages, one a line; written only while someone looks. */
function fillRaw() {
  const open = $('raw').open && entry;
  $('raw').lastElementChild.textContent = open ? entry.messages.map((each) => JSON.stringify(each)).join('\n') : '';
}

// --- history

/** Put an answer into the list of what was asked; `by` tells it from another model's to the same question. */
function remember(done, by = '') {
  const { form } = done;
  const question = form.prompt || say('noQuestion');
  const line = (textContent) => element('span', { textContent });
  const restore = button('', () => {
    run?.abort();
    busy(false);
    clearResults();
    entry = done;
    fill({ ...form, prompt: (form.before[0]?.form ?? form).prompt });
    present();
    notice(done.notice);
    changed();
  });
  restore.append(
    ...form.pictures.slice(0, 3).map(miniature),
    element('span', {}, line(by ? `${question} · ${by}` : question), line(inShort(done).slice(0, 120))),
  );
  const list = $('history').lastElementChild;
  done.item = element('li', {}, restore);
  form.before.at(-1)?.item?.remove(); // the conversation has gone on
  list.prepend(done.item);
  if (list.children.length > HISTORY) list.lastChild.remove();
  $('history').hidden = false;
}

// --- code

/**
 * What the code asks: the conversation, with the question below the answer if one is typed there, as long as the form
 * still holds what it began with; else the form.
 */
function nextForm() {
  const form = read();
  const next = $('next').value.trim();
  if (!entry || (!next && !entry.form.before.length) || !entry.text.trim()) return form;
  const first = (entry.form.before[0] ?? entry).form;
  const same = first.prompt === form.prompt && form.pictures.every((each, at) => each === first.pictures[at]);
  if (!same) return form;
  const { pictures, before, prompt } = entry.form;
  return { ...form, pictures, ...(next ? { prompt: next, before: [...before, entry] } : { prompt, before }) };
}

function write() {
  if ($('code').open) $('source').textContent = LANGUAGES[language](nextForm(), base, keyed);
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
function savedOf(turn) {
  const value = valueOf(turn);
  if (typeof value !== 'string') return value;
  return { model: turn.messages.at(-1)?.modelVersion ?? turn.form.model, question: turn.form.prompt, answer: value };
}

// --- models, camera, theme

async function loadModels() {
  const found = await models();
  const ids = [...found.map(({ name }) => name.replace('models/', '')), ALIAS];
  const before = $('model').dataset.loaded ? $('model').value : '';
  $('model').replaceChildren(...ids.map((id, index) => new Option(found[index]?.displayName || id, id)));
  $('model').value = ids.includes(before) ? before : ids[0];
  $('model').dataset.loaded = 'true';
  const chosen = $('rival').value;
  $('rival').replaceChildren($('rival').firstElementChild, ...found.map(({ displayName }, index) => new Option(displayName || ids[index], ids[index])));
  $('rival').value = ids.includes(chosen) ? chosen : '';
  $('rival').parentElement.hidden = found.length < 2;
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
  $('samples').replaceChildren(
    element('span', { textContent: say('samples') }),
    ...Object.keys(SAMPLES).map((name) => button(say(name), async () => { await take([await sampleFile(name)]); $('prompt').focus(); })),
  );
  $('schemas').replaceChildren(...Object.entries(SCHEMAS).map(([name, schema]) => button(say(name), () => {
    $('schema').value = JSON.stringify(schema, null, 2);
    changed();
    $('schema').focus();
  })));
  stage.show();
  if (entry) present();
  if (versus?.turns.length) versus.show(versus.turns, stage.active);
  batch?.show();
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
  $('next').oninput = write;
  $('next').onkeydown = (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); follow(); }
  };
  $('save-picture').onclick = async () => {
    const { annotated, download, nameFor } = await import('./save.js');
    download(nameFor(stage.active, '-found.png'), await annotated($('picture'), overlay.shown, overlay.veil));
  };
  $('save-answer').onclick = async () => {
    const { download, jsonFile, nameFor } = await import('./save.js');
    download(nameFor(stage.active, '.json'), jsonFile(savedOf(entry)));
  };
  $('stop').onclick = () => run?.abort();
  addEventListener('keydown', ({ key }) => { if (key === 'Escape' && !$('shutter').open) run?.abort(); });
  const readKey = () => useKey($('key').value, $('keep').checked);
  $('key').oninput = readKey; // a password that a program fills in is not always followed by a change
  $('key-field').onsubmit = (event) => { event.preventDefault(); readKey(); meet(); };
  $('key').onchange = $('keep').onchange = () => $('key-field').requestSubmit();
}

function wirePictures() {
  $('files').onchange = async () => { await take([...$('files').files]); $('files').value = ''; };
  $('folder').onchange = async () => { await takeFolder([...$('folder').files]); $('folder').value = ''; };
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
  addEventListener('drop', async (event) => {
    over(event, false);
    const { files, folders } = await carried(event.dataTransfer);
    if (files.length) await take(files);
    if (folders.length) await takeFolder(folders);
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
