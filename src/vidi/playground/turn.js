// One question and its answer, without the page: what is asked, heard and said of how it ended.

import { stream } from './api.js';
import { inHundredths, say } from './language.js';
import { bodyOf, PLACES } from './prompt.js';
import { Scanner } from './shapes.js';

/** Why an answer ended before its end: the key of what is said about it. */
const ENDINGS = { MAX_TOKENS: 'endedLength', SAFETY: 'endedSafety', RECITATION: 'endedRecitation' };

/** A turn that nobody has answered yet. `form.before` are the conversation's earlier turns. */
export const newTurn = (form) => ({
  form, text: '', thoughts: '', shapes: [], messages: [], first: 0, total: 0, notice: '', ended: false, scanner: new Scanner(),
});

/** Ask, and hear the whole answer; `heard(turn, text, shapes)` is told each message. Gives a sentence for what is wrong, or "". */
export async function answer(turn, signal, heard) {
  const began = performance.now();
  for await (const message of stream(turn.form.model, await bodyOf(turn.form), signal)) {
    turn.messages.push(message);
    const parts = message.candidates?.[0]?.content?.parts ?? [];
    const written = (thought) => parts.filter((part) => Boolean(part.thought) === thought).map((part) => part.text ?? '').join('');
    const text = written(false);
    const shapes = turn.scanner.push(text);
    turn.text += text;
    turn.thoughts += written(true);
    turn.shapes.push(...shapes);
    turn.total = performance.now() - began;
    if (turn.text) turn.first ||= turn.total;
    heard(turn, text, shapes);
  }
  turn.ended = true;
  return ending(turn);
}

function ending({ messages, text }) {
  const last = messages.at(-1);
  const reason = last.candidates?.[0]?.finishReason ?? last.promptFeedback?.blockReason;
  if (text.trim()) return ENDINGS[reason] ? say(ENDINGS[reason]) : '';
  return say('endedEmpty', { reason });
}

/** What the answer cost: tokens, and times where they are known. */
export function statsOf({ messages, first, total }) {
  if (!messages.length) return '';
  const { usageMetadata: usage = {}, modelVersion = '' } = messages.at(-1);
  const seconds = (time) => inHundredths(time / 1000);
  return [
    modelVersion,
    say('tokensIn', { tokens: usage.promptTokenCount ?? 0 }),
    say('tokensOut', { tokens: usage.candidatesTokenCount ?? 0 }),
    first && say('firstAfter', { seconds: seconds(first) }),
    say('allAfter', { seconds: seconds(total) }),
  ].filter(Boolean).join('\u00a0· ');
}

/** Whether places were asked for and the answer is that there are none. */
export const foundNothing = ({ form, text, shapes, ended }) =>
  ended && form.as in PLACES && !shapes.length && /^[[\],\s]+$/.test(text.replace(/```(?:json)?/g, ''));

/** An answer in a line: what was found, or its text. */
export function inShort(turn) {
  if (foundNothing(turn)) return say('nothing');
  const labels = turn.form.as in PLACES && [...new Set(turn.shapes.map(({ label }) => label))].join(', ');
  return labels || turn.text || turn.notice;
}
