// Boxes, points and masks in an answer, found while it is still being written.

const numbers = (value, count) =>
  Array.isArray(value) && value.length === count && value.every(Number.isFinite) ? value : null;

/** What lies in a box, as the API writes it: a PNG for the box alone. */
const MASK = /^data:image\/png;base64,[A-Za-z0-9+/]+={0,2}$/;

const inside = (value) => Math.min(1000, Math.max(0, value));

/** What an answer's object says: a box or a point in thousandths of the upright picture, or null. */
export function shapeOf(value) {
  const box = numbers(value.box_2d, 4)?.map(inside);
  const point = numbers(value.point, 2)?.map(inside);
  if (!box && !point) return null;
  const [y0, x0, y1, x1] = box ?? [...point, ...point];
  const score = value.score ?? value.confidence;
  return {
    kind: box ? 'box' : 'point',
    top: Math.min(y0, y1), left: Math.min(x0, x1), bottom: Math.max(y0, y1), right: Math.max(x0, x1),
    label: String(value.label ?? value.name ?? 'unnamed'),
    score: Number.isFinite(score) ? score : null,
    mask: box && typeof value.mask === 'string' && MASK.test(value.mask) ? value.mask : '',
  };
}

/**
 * Reads an answer in pieces and gives each shape as soon as its object is complete.
 *
 * Fences and prose around the JSON are passed over. A list of lists is one list for each picture, so a shape
 * also says which `picture` it is on; it is 0 where the answer has one list.
 */
export class Scanner {
  #text = '';
  #at = 0;
  #open = []; // what is open: {mark, from, item}; `item` counts commas, so it is the index in a list
  #quoted = false;

  push(text) {
    this.#text += text;
    const found = [];
    for (; this.#at < this.#text.length; this.#at++) {
      const shape = this.#step(this.#text[this.#at]);
      if (shape) found.push(shape);
    }
    return found;
  }

  #step(mark) {
    const open = this.#open;
    if (this.#quoted) {
      if (mark === '\\') this.#at++;
      else if (mark === '"') this.#quoted = false;
    } else if (mark === '{' || mark === '[') {
      open.push({ mark, from: this.#at, item: 0 });
    } else if (!open.length) {
      return null; // prose
    } else if (mark === '"') {
      this.#quoted = true;
    } else if (mark === ',') {
      open.at(-1).item++;
    } else if (mark === ']' && open.at(-1).mark === '[') {
      open.pop();
    } else if (mark === '}' && open.at(-1).mark === '{') {
      return this.#closed(open.pop());
    }
    return null;
  }

  #closed({ from }) {
    const outer = this.#open.slice(-2);
    const perPicture = outer.length === 2 && outer.every(({ mark }) => mark === '[');
    try {
      const shape = shapeOf(JSON.parse(this.#text.slice(from, this.#at + 1)));
      return shape && { ...shape, picture: perPicture ? outer[0].item : 0 };
    } catch {
      return null; // braces that are no JSON
    }
  }
}
