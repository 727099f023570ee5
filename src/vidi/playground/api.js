// The server's public API: models, token counts, streamed answers.

import { say } from './language.js';

/** Where this page came from, without a slash at the end: also the base URL for the SDKs. */
export const base = new URL('.', document.baseURI).href.replace(/\/$/, '');

const KEPT = 'vidi.key';

let key = '';
try { key = sessionStorage.getItem(KEPT) ?? ''; } catch { /* storage is switched off */ }

/** The key that this tab remembers, or "". */
export const keptKey = () => key;

/** Use this key from now on; it lives in this variable, and with the tab only where that is asked for. */
export function useKey(value, keep) {
  key = value.trim();
  try {
    if (keep && key) sessionStorage.setItem(KEPT, key);
    else sessionStorage.removeItem(KEPT);
  } catch { /* storage is switched off */ }
}

/**
 * Something that went wrong, as a sentence for people. `key` is true where a key would help; `wait` says after how
 * many seconds the same may be asked again of a server that is busy, 0 where that would not help.
 */
export class Refusal extends Error {
  constructor(message, { key = false, wait = 0 } = {}) {
    super(message);
    this.key = key;
    this.wait = wait;
  }
}

function refusalOf({ error = {} }, code, wait = 0) {
  const message = error.message || say('noReason', { code: String(code) });
  if (/unregistered callers/.test(message)) return new Refusal(say('noKey'), { key: true });
  if (/API key not valid/.test(message)) return new Refusal(say('wrongKey'), { key: true });
  return new Refusal(message, { wait });
}

async function send(path, options) {
  const headers = { ...(key && { 'x-goog-api-key': key }), ...options.headers };
  const reply = await fetch(`${base}/${path}`, { ...options, headers, cache: 'no-store' }).catch((error) => {
    throw error.name === 'AbortError' ? error : new Refusal(say('gone'));
  });
  if (!reply.ok) {
    const busy = reply.status === 429 || reply.status === 503;
    const wait = busy ? Number(reply.headers.get('retry-after')) || 1 : 0;
    throw refusalOf(await reply.json().catch(() => ({})), reply.status, wait);
  }
  return reply;
}

const call = (path, body, signal) => send(`v1beta/${path}`, {
  method: body ? 'POST' : 'GET',
  headers: body && { 'content-type': 'application/json' },
  body: body && JSON.stringify(body),
  signal,
});

/** A picture in a form that every browser shows: a JPEG of a HEIC, a PNG of what the API does not take. */
export async function view(file) {
  return (await send('playground/preview', { method: 'POST', body: file })).blob();
}

/** The models that can be asked, the default first. */
export async function models() {
  return (await (await call('models')).json()).models;
}

/** What a prompt costs, in tokens. */
export async function count(model, body, signal) {
  const wrapped = { generateContentRequest: { model: `models/${model}`, ...body } };
  const reply = await call(`models/${encodeURIComponent(model)}:countTokens`, wrapped, signal);
  return (await reply.json()).totalTokens;
}

/** An answer's messages as they come. Raises a Refusal if it breaks off. */
export async function* stream(model, body, signal) {
  const reply = await call(`models/${encodeURIComponent(model)}:streamGenerateContent?alt=sse`, body, signal);
  let ended = false;
  for await (const line of lines(reply.body)) {
    // An error in mid-stream is a bare line of JSON.
    const message = JSON.parse(line.startsWith('data: ') ? line.slice(6) : line);
    if (message.error) throw refusalOf(message, message.error.code);
    ended ||= Boolean(message.candidates?.[0]?.finishReason || message.promptFeedback?.blockReason);
    yield message;
  }
  if (!ended) throw new Refusal(say('broken'));
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      const whole = (rest + (value ?? '')).split('\n');
      rest = done ? '' : whole.pop();
      yield* whole.filter((line) => line.trim());
      if (done) return;
    }
  } catch (error) {
    throw error instanceof TypeError ? new Refusal(say('broken')) : error;
  } finally {
    reader.cancel().catch(() => {});
  }
}
