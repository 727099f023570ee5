// The schema of an answer, checked while it is typed.

import { say } from './language.js';

const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'array', 'object', 'null']);

const listOf = (properties) => ({ type: 'array', items: { type: 'object', properties, required: Object.keys(properties) } });
const text = { type: 'string' };

/** Examples by the keys of their names. */
export const SCHEMAS = {
  schemaScene: {
    type: 'object',
    properties: { caption: text, indoors: { type: 'boolean' }, people: { type: 'integer' }, colours: { type: 'array', items: text } },
    required: ['caption', 'indoors', 'people'],
  },
  schemaThings: listOf({ label: text, colour: text, count: { type: 'integer' } }),
  schemaText: { type: 'object', properties: { text, language: text }, required: ['text'] },
};

/** A schema as it is typed: {schema, fault}; `schema` is null where nothing is typed or the fault is not "". */
export function schemaOf(typed) {
  if (!typed.trim()) return { schema: null, fault: '' };
  let schema;
  try {
    schema = JSON.parse(typed);
  } catch (error) {
    return { schema: null, fault: say('noJson', { line: lineOf(error.message, typed) }) };
  }
  const fault = faultOf(schema, '$');
  return { schema: fault ? null : schema, fault };
}

/** The line where JSON breaks off, by the place that Chromium and Firefox name in their own ways. */
function lineOf(message, typed) {
  const named = /line (\d+)/.exec(message);
  if (named) return Number(named[1]);
  const at = /position (\d+)/.exec(message);
  if (at) return typed.slice(0, Number(at[1])).split('\n').length;
  // Chromium names no place for a strange letter: it is in the first line that no further line could mend.
  const lines = typed.split('\n');
  const strange = lines.findIndex((_, index) => {
    try {
      JSON.parse(lines.slice(0, index + 1).join('\n'));
    } catch (error) {
      return error.message.includes('Unexpected token');
    }
    return false;
  });
  return strange < 0 ? lines.length : strange + 1;
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** What is wrong with a schema, in a sentence that names the place, or "". */
function faultOf(schema, at) {
  if (!isObject(schema)) return say('schemaNoObject', { at });
  const types = [schema.type ?? []].flat();
  const strange = types.find((type) => typeof type !== 'string' || !TYPES.has(type.toLowerCase()));
  if (strange !== undefined) return say('schemaType', { at, type: JSON.stringify(strange) });
  if (schema.enum !== undefined && !(Array.isArray(schema.enum) && schema.enum.length)) return say('schemaEnum', { at });
  const { properties = {}, required = [], items } = schema;
  if (!isObject(properties)) return say('schemaNoObject', { at: `${at}.properties` });
  if (!Array.isArray(required)) return say('schemaRequired', { at, name: JSON.stringify(required) });
  const missing = required.find((name) => schema.properties && !(name in properties));
  if (missing !== undefined) return say('schemaRequired', { at, name: JSON.stringify(missing) });
  for (const [name, each] of Object.entries(properties)) {
    const fault = faultOf(each, `${at}.${name}`);
    if (fault) return fault;
  }
  return items === undefined ? '' : faultOf(items, `${at}[]`);
}
