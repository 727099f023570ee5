// What the page says, in the language of the browser or of the switch.

import en from './en.js';
import tr from './tr.js';

const STRINGS = { en, tr };

/** Each language's own name. */
export const TONGUES = { en: 'English', tr: 'Türkçe' };

const KEPT = 'vidi.language'; // written only when somebody presses the switch

function usual() {
  const known = (tag) => tag && Object.keys(STRINGS).find((id) => tag.toLowerCase().split('-')[0] === id);
  let kept = null;
  try { kept = localStorage.getItem(KEPT); } catch { /* storage is switched off */ }
  return known(kept) ?? navigator.languages.map(known).find(Boolean) ?? 'en';
}

export let language = usual();

/** A string with its `{slots}` filled; numbers are written as the language writes them. */
export const say = (key, slots) => sayIn(language, key, slots);

/** The same in a language that may be another than the page's. */
export function sayIn(tongue, key, slots = {}) {
  return STRINGS[tongue][key].replace(/\{(\w+)\}/g, (_, name) =>
    (typeof slots[name] === 'number' ? inDigits(slots[name]) : slots[name]));
}

export const inDigits = (number) => (number ?? 0).toLocaleString(language);

/** Made once: to make one takes longer than to draw a box. */
const HUNDREDTHS = Object.fromEntries(Object.keys(STRINGS).map((id) => [
  id, new Intl.NumberFormat(id, { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
]));

/** A score or a time, to two digits after the point. */
export const inHundredths = (number) => HUNDREDTHS[language].format(number);

/** Fill in what the page's elements say: `data-say` as their text, `data-say-label` and the like as attributes. */
export function translate(root = document) {
  document.documentElement.lang = language;
  document.title = say('title');
  for (const each of root.querySelectorAll('[data-say]')) each.textContent = say(each.dataset.say);
  for (const [kind, attribute] of [['label', 'aria-label'], ['placeholder', 'placeholder'], ['title', 'title']]) {
    for (const each of root.querySelectorAll(`[data-say-${kind}]`)) {
      each.setAttribute(attribute, say(each.getAttribute(`data-say-${kind}`)));
    }
  }
}

/** Say everything in another language from now on. */
export function speak(id) {
  language = id;
  try { localStorage.setItem(KEPT, id); } catch { /* storage is switched off */ }
}

/**
 * The language that a question is written in, so that nothing in another one is added to it.
 *
 * By the letters and words that tell Turkish from English; the page's own where neither has more.
 */
export function languageOf(text) {
  const words = text.replaceAll('İ', 'i').toLowerCase().match(/\p{L}+/gu) ?? [];
  const count = (tells) => words.filter((word) => tells.test(word)).length;
  const turkish = count(/[ğışçöü]|^(bu|ne|var|mi|mu|bul|ver|yaz|hangi|nerede|kutu|resim\w*|tane|ve|bir|oku|anlat|neler|kim|say)$/u);
  const english = count(/^(the|a|an|is|are|in|of|what|where|how|which|who|all|any|and|there|this|these|find|detect|point|show|read|count|to|me|with)$/);
  return turkish > english ? 'tr' : english > turkish ? 'en' : language;
}
