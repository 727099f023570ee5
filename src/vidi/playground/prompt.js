// From the form to a request.

import { languageOf, say, sayIn } from './language.js';

/** Examples by the keys of their names: what they ask for, and the key of the question. */
export const EXAMPLES = [
  ['caption', 'text', 'captionAsks'],
  ['detect', 'boxes', 'boxesAsks'],
  ['point', 'points', 'pointsAsks'],
  ['segment', 'masks', 'masksAsks'],
  ['count', 'text', 'countAsks'],
  ['read', 'text', 'readAsks'],
  ['compare', 'text', 'compareAsks'],
];

/** Answers that are places: the key of a place, how many numbers it has, and what else belongs to it. */
export const PLACES = { boxes: ['box_2d', 4], points: ['point', 2], masks: ['box_2d', 4, 'mask'] };

/**
 * The text that is sent: the question as it was typed.
 *
 * Only a question for places in several pictures gets an addition, in the question's own language: there no
 * schema says what is wanted. Without a question, everything is asked for.
 */
export function textOf({ prompt, as, pictures }) {
  if (!PLACES[as]) return prompt;
  const asked = prompt || say(`${as}Asks`);
  if (pictures.length < 2) return asked;
  const tongue = languageOf(asked);
  const ended = /[\p{L}\p{N}]$/u.test(asked) ? `${asked}.` : asked;
  return `${ended} ${sayIn(tongue, `${as}Form`)} ${sayIn(tongue, 'listEach')}`;
}

/** What goes beside the text: the form of the answer and the resolution, under the API's own names. */
export function configOf({ as, resolution, pictures, schema, temperature, thinking }) {
  const config = {};
  if (as !== 'text') config.responseMimeType = 'application/json';
  // A schema holds the answer to one flat list, so several pictures are asked for in words alone.
  if (PLACES[as] && pictures.length < 2) config.responseJsonSchema = listOf(...PLACES[as]);
  if (as === 'json' && schema) config.responseJsonSchema = schema;
  if (temperature !== null) config.temperature = temperature;
  if (thinking) config.thinkingConfig = { includeThoughts: true };
  if (resolution) config.mediaResolution = `MEDIA_RESOLUTION_${resolution}`;
  return config;
}

function listOf(place, length, mask) {
  const properties = {
    [place]: { type: 'array', items: { type: 'integer' }, minItems: length, maxItems: length },
    ...(mask && { [mask]: { type: 'string' } }),
    label: { type: 'string' },
    score: { type: 'number' },
  };
  return { type: 'array', items: { type: 'object', properties, required: [place, ...(mask ? [mask] : []), 'label'] } };
}

/** An answer without the pixels of its masks: no model reads those, and each costs as much as a long text. */
const saidBefore = (text) => text.replace(/data:image\/png;base64,[A-Za-z0-9+/=]+/g, 'data:image/png;base64,');

/**
 * The conversation: {role, pictures, text}, the last one the question. It begins with the pictures, as the guide
 * advises, and they belong to all of it.
 */
export function turnsOf(form) {
  const turns = [...form.before.flatMap((turn) => [
    { role: 'user', pictures: [], text: textOf(turn.form) },
    { role: 'model', pictures: [], text: saidBefore(turn.text) },
  ]), { role: 'user', pictures: [], text: textOf(form) }];
  turns[0].pictures = form.pictures;
  return turns;
}

/** The body of generateContent. */
export async function bodyOf(form) {
  const part = async ({ type, data }) => ({ inlineData: { mimeType: type, data: await data() } });
  const contents = await Promise.all(turnsOf(form).map(async ({ role, pictures, text }) => ({
    role, parts: [...await Promise.all(pictures.map(part)), ...(text ? [{ text }] : [])],
  })));
  return {
    contents,
    ...(form.system && { systemInstruction: { parts: [{ text: form.system }] } }),
    generationConfig: configOf(form),
  };
}
