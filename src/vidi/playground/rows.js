// The answers about many pictures as rows: for the table on the page, as CSV and as JSON.

import { PLACES } from './prompt.js';

/** Most columns of a table; further members of an answer stay in its JSON. */
const MOST_COLUMNS = 20;

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

const written = (value) => (value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value));

/** An answer's value: parsed where it is JSON, else its text. */
export function valueOf({ form, text }) {
  if (form.as === 'text') return text;
  try {
    return JSON.parse(text.replace(/^\s*```(?:json)?|```\s*$/g, ''));
  } catch {
    return text; // JSON that broke off is text
  }
}

/** What was found, counted: [[label, number], ...], the most frequent first. */
export function countsOf({ shapes }) {
  const counts = new Map();
  for (const { label } of shapes) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** The columns that answers have in common with each other: the members of their objects, or none. */
export function columnsOf(turns) {
  const answers = turns.filter(({ form, text }) => form.as === 'json' && text).map(valueOf);
  if (!answers.length || !answers.every(isObject)) return [];
  return [...new Set(answers.flatMap(Object.keys))].slice(0, MOST_COLUMNS);
}

/** A turn's cells under these columns; one cell of its whole answer where there are none. */
export function cellsOf(turn, columns) {
  const value = valueOf(turn);
  return columns.length ? columns.map((name) => written(isObject(value) ? value[name] : undefined)) : [written(value)];
}

/** What a spreadsheet would take for a formula is marked as text: answers and names are a stranger's words. */
const cell = (value) => {
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? '');
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

const usageOf = ({ messages }) => messages.at(-1)?.usageMetadata ?? {};

/**
 * Turns as CSV: a line a picture, or, where places were asked for, a line a thing that was found. Its numbers are
 * the API's. It begins with the mark by which spreadsheets know UTF-8.
 */
export function csvOf(turns) {
  const places = turns.some(({ form }) => form.as in PLACES);
  const columns = places ? [] : columnsOf(turns);
  const head = places
    ? ['picture', 'model', 'label', 'score', 'ymin', 'xmin', 'ymax', 'xmax', 'error']
    : ['picture', 'model', ...(columns.length ? columns : ['answer']), 'tokens_in', 'tokens_out', 'seconds', 'error'];
  const lines = turns.flatMap((turn) => {
    const [start, end] = [[turn.form.pictures[0].name, turn.form.model], [turn.notice]];
    if (!places) {
      const { promptTokenCount, candidatesTokenCount } = usageOf(turn);
      return [[...start, ...cellsOf(turn, columns), promptTokenCount, candidatesTokenCount, (turn.total / 1000).toFixed(2), ...end]];
    }
    const things = turn.shapes.map(({ label, score, top, left, bottom, right }) => [label, score, top, left, bottom, right]);
    return (things.length ? things : [['', '', '', '', '', '']]).map((thing) => [...start, ...thing, ...end]);
  });
  return `\ufeff${[head, ...lines].map((line) => `${line.map(cell).join(',')}\r\n`).join('')}`;
}

/** Turns as a value: one object a picture, with the answer as it came. */
export const jsonOf = (turns) => turns.map((turn) => ({
  picture: turn.form.pictures[0].name,
  model: turn.messages.at(-1)?.modelVersion ?? turn.form.model,
  question: turn.form.prompt,
  answer: turn.text ? valueOf(turn) : null,
  ...(turn.notice && { error: turn.notice }),
}));
