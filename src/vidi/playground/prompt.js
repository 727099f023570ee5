// From the form to a request.

import { languageOf, say, sayIn } from './language.js';

/** Examples by the keys of their names: what they ask for, and the key of the question. */
export const EXAMPLES = [
  ['caption', 'text', 'captionAsks'],
  ['detect', 'boxes', 'boxesAsks'],
  ['point', 'points', 'pointsAsks'],
  ['count', 'text', 'countAsks'],
  ['read', 'text', 'readAsks'],
  ['compare', 'text', 'compareAsks'],
];

/** Answers that are places: the key of a place, and how many numbers it has. */
export const PLACES = { boxes: ['box_2d', 4], points: ['point', 2] };

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

function listOf(place, length) {
  const properties = {
    [place]: { type: 'array', items: { type: 'integer' }, minItems: length, maxItems: length },
    label: { type: 'string' },
    score: { type: 'number' },
  };
  return { type: 'array', items: { type: 'object', properties, required: [place, 'label'] } };
}

/** The body of generateContent: earlier turns, then the question. Pictures come first, as the guide advises. */
export async function bodyOf(form) {
  const pictures = await Promise.all(
    form.pictures.map(async ({ type, data }) => ({ inlineData: { mimeType: type, data: await data() } })),
  );
  const contents = form.before.flatMap((turn) => [
    { role: 'user', parts: [{ text: textOf(turn.form) }] },
    { role: 'model', parts: [{ text: turn.text }] },
  ]);
  contents.push({ role: 'user', parts: [{ text: textOf(form) }] });
  // The pictures belong to the whole conversation, and it begins with them.
  const parts = contents[0].parts.filter(({ text }) => text);
  contents[0].parts = [...pictures, ...parts];
  return {
    contents,
    ...(form.system && { systemInstruction: { parts: [{ text: form.system }] } }),
    generationConfig: configOf(form),
  };
}
