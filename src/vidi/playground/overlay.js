// Boxes, points and masks over a picture, their legend, their list, and the threshold.
//
// Everything is placed in per cent of the upright picture, so a picture that changes its size on the screen
// takes its boxes along and nothing is drawn again.

import { element } from './elements.js';
import { placeLabels } from './labels.js';
import { inHundredths, say } from './language.js';
import { maskIn } from './masks.js';

const COLOURS = [
  '#ff6b3d', '#2ec4b6', '#ffbf1f', '#8f7bff', '#ff5fa2', '#5ecb5a', '#4aa8ff', '#d99a5b', '#35d6f0', '#b9d532',
];

/** With more shapes on the picture than this, scores, or labels too, are only shown for what is pointed at. */
const SCORED = 12;
const LABELLED = 40;

/** Masks are drawn as for a picture whose longer side has so many pixels. */
const MASK_SIDE = 800;

export class Overlay {
  #layer; #legend; #slider; #sliderLabel; #readout; #panel; #list; #veil;
  #shapes = []; // {shape, node, row, mask}, in the answer's order
  #colours = new Map(); // label => colour
  #chips = new Map(); // label => {chip, number}
  #kept = null; // the label whose chip is pressed
  #at = -1; // the shape that the arrow keys are on
  #picture = 0;
  #limits = new Map(); // picture => where its threshold stands
  #onshown;

  constructor({ onshown = () => {}, layer, legend, slider, sliderLabel, readout, panel, list, veil }) {
    this.#onshown = onshown;
    this.#layer = layer;
    this.#legend = legend;
    this.#slider = slider;
    this.#sliderLabel = sliderLabel;
    this.#readout = readout;
    this.#panel = panel;
    this.#list = list;
    this.#veil = veil;
    veil.oninput = () => this.#unveil();
    slider.oninput = () => {
      this.#limits.set(this.#picture, slider.value);
      this.#sift();
    };
    new ResizeObserver(() => this.#arrange()).observe(layer);
    layer.onpointerover = ({ target }) => this.#point(this.#shapes.findIndex(({ node }) => node === target.closest('.shape')));
    layer.onpointerleave = () => this.#point(-1);
    list.onpointerover = ({ target }) => this.#point(this.#shapes.findIndex(({ row }) => row === target.closest('li')));
    list.onpointerleave = () => this.#point(-1);
    layer.onblur = () => this.#point(-1);
    layer.onkeydown = (event) => this.#step(event);
  }

  /** Forget everything. */
  clear() {
    this.#shapes = [];
    this.#colours.clear();
    this.#chips.clear();
    this.#limits.clear();
    this.#kept = null;
    this.#layer.replaceChildren();
    this.#list.replaceChildren();
    this.#legend.replaceChildren();
    this.#layer.tabIndex = -1;
    this.#panel.hidden = this.#veil.parentElement.hidden = true;
    this.#point(-1);
  }

  /** Draw more shapes. */
  add(shapes) {
    if (!shapes.length) return;
    const drawn = shapes.map((shape) => ({ shape, node: this.#draw(shape), row: this.#row(shape), mask: null }));
    this.#shapes.push(...drawn);
    for (const each of drawn) if (each.shape.mask) this.#cover(each);
    this.#layer.append(...drawn.map(({ node }) => node));
    this.#list.append(...drawn.map(({ row }) => row));
    this.#layer.tabIndex = 0;
    this.#panel.hidden = false;
    if (shapes.some(({ mask }) => mask)) this.#veil.parentElement.hidden = false;
    this.#unveil();
    this.#setSlider();
    this.#sift();
  }

  /** How opaque masks are, 0..1. */
  get veil() {
    return Number(this.#veil.value) / 100;
  }

  #unveil() {
    this.#layer.style.setProperty('--veil', this.veil);
  }

  /** Show the shapes of the picture with this number in the prompt; -1 for one that was not asked about. */
  turnTo(picture) {
    this.#picture = picture;
    this.#setSlider();
    this.#sift();
  }

  /** What is seen now: {shape, colour}, in the answer's order. */
  get shown() {
    return this.#shapes.filter(({ node }) => !node.hidden)
      .map(({ shape }) => ({ shape, colour: this.#colours.get(shape.label) }));
  }

  get #here() {
    return this.#shapes.filter(({ shape }) => shape.picture === this.#picture);
  }

  #draw(shape) {
    const node = element('div', { className: `shape ${shape.kind}` }, element('span', {}, ...title(shape)));
    const { style } = node;
    style.left = `${shape.left / 10}%`;
    style.top = `${shape.top / 10}%`;
    if (shape.kind === 'box') {
      style.width = `${(shape.right - shape.left) / 10}%`;
      style.height = `${(shape.bottom - shape.top) / 10}%`;
      // A small box must stay within reach when a large one lies over it.
      style.zIndex = 1000 - Math.round(Math.sqrt((shape.right - shape.left) * (shape.bottom - shape.top)));
    } else {
      style.zIndex = 1001;
    }
    style.setProperty('--colour', this.#colour(shape.label));
    return node;
  }

  /** Lay a box's mask under all boxes and labels, as soon as it is unpacked. */
  async #cover(drawn) {
    const { shape, node } = drawn;
    const { clientWidth: width, clientHeight: height } = this.#layer;
    const scale = MASK_SIDE / Math.max(width, height, 1) / 1000;
    const mask = await maskIn(
      this.#colour(shape.label), shape.mask, (shape.right - shape.left) * width * scale, (shape.bottom - shape.top) * height * scale,
    );
    if (!mask || !this.#shapes.includes(drawn)) return;
    mask.className = node.classList.contains('lit') ? 'mask lit' : 'mask';
    mask.hidden = node.hidden;
    for (const each of ['left', 'top', 'width', 'height']) mask.style[each] = node.style[each];
    mask.style.zIndex = node.style.zIndex - 1001; // that of a small thing lies over that of a large one
    drawn.mask = mask;
    this.#layer.prepend(mask);
  }

  #row(shape) {
    const row = element(
      'li', {}, element('i', {}), element('b', { textContent: shape.label }),
      element('span', { textContent: shape.score === null ? '' : inHundredths(shape.score) }),
      element('code', { textContent: placeOf(shape).join(' ') }),
    );
    row.style.setProperty('--colour', this.#colour(shape.label));
    return row;
  }

  #colour(label) {
    if (!this.#colours.has(label)) {
      const colour = COLOURS[this.#colours.size % COLOURS.length];
      this.#colours.set(label, colour);
      const number = element('span', { className: 'number' });
      const chip = element('button', { type: 'button', className: 'chip' }, element('i', {}), label, ' ', number);
      chip.style.setProperty('--colour', colour);
      chip.setAttribute('aria-pressed', 'false');
      chip.onpointerenter = chip.onfocus = () => this.#light(label);
      chip.onpointerleave = chip.onblur = () => this.#light(this.#kept);
      chip.onclick = () => this.#keep(label);
      this.#chips.set(label, { chip, number });
      this.#legend.append(chip);
    }
    return this.#colours.get(label);
  }

  #keep(label) {
    this.#kept = this.#kept === label ? null : label;
    for (const [each, { chip }] of this.#chips) chip.setAttribute('aria-pressed', String(each === this.#kept));
    this.#light(this.#kept);
  }

  #light(label) {
    this.#layer.classList.toggle('dim', label !== null);
    for (const { shape, node, mask } of this.#shapes) for (const each of [node, mask]) each?.classList.toggle('lit', shape.label === label);
  }

  get #scored() {
    return this.#here.length > 0 && this.#here.every(({ shape }) => shape.score !== null);
  }

  #setSlider() {
    const slider = this.#slider;
    const scored = this.#scored;
    const length = this.#here.length;
    const top = scored ? Math.max(1, ...this.#here.map(({ shape }) => shape.score)) : length;
    const kept = scored === (slider.dataset.by === 'score') ? this.#limits.get(this.#picture) : undefined;
    slider.dataset.by = scored ? 'score' : 'rank';
    slider.min = scored ? 0 : 1;
    slider.max = top;
    slider.step = scored ? top / 100 : 1;
    slider.value = kept ?? (scored ? 0 : top);
  }

  /** Hide what is below the threshold or on another picture, and count the rest. */
  #sift() {
    const limit = Number(this.#slider.value);
    const scored = this.#scored;
    const numbers = new Map();
    let shown = 0;
    let rank = 0;
    for (const { shape, node, row, mask } of this.#shapes) {
      const mine = shape.picture === this.#picture;
      const here = mine && (scored ? shape.score >= limit : rank < limit);
      rank += mine;
      node.hidden = row.hidden = !here;
      if (mask) mask.hidden = !here;
      if (here) numbers.set(shape.label, (numbers.get(shape.label) ?? 0) + 1);
      shown += here;
    }
    for (const [label, { chip, number }] of this.#chips) {
      number.textContent = numbers.get(label) ?? 0;
      chip.classList.toggle('gone', !numbers.has(label));
    }
    this.#layer.classList.toggle('busy', shown > SCORED);
    this.#layer.classList.toggle('crowded', shown > LABELLED);
    const counts = { kept: shown, all: rank };
    this.#slider.hidden = !rank;
    if (!rank) this.#sliderLabel.textContent = say('nothingHere');
    else this.#sliderLabel.textContent = scored ? say('byScore', { limit: inHundredths(limit), ...counts }) : say('byRank', counts);
    this.#arrange();
    this.#onshown(shown);
  }

  /** Put each label where it covers nothing small; where there is no such place it is shown when pointed at. */
  #arrange() {
    const shown = this.#shapes.filter(({ node }) => !node.hidden);
    if (shown.length <= LABELLED) placeLabels(shown, this.#layer);
  }

  #point(index) {
    if (index === this.#at) return;
    const point = (found, on) => [found?.node, found?.row].forEach((each) => each?.classList.toggle('pointed', on));
    point(this.#shapes[this.#at], false);
    this.#at = index;
    const found = this.#shapes[index];
    point(found, true);
    if (found) reveal(found.row, this.#list);
    this.#readout.textContent = found ? inWords(found.shape) : '';
  }

  #step(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const shown = this.#shapes.filter(({ node }) => !node.hidden);
    if (event.key === 'Escape') this.#point(-1);
    if (!step || !shown.length) return;
    event.preventDefault();
    const at = shown.indexOf(this.#shapes[this.#at]);
    const next = at < 0 ? (step > 0 ? 0 : shown.length - 1) : (at + step + shown.length) % shown.length;
    this.#point(this.#shapes.indexOf(shown[next]));
  }
}

/** Scroll a list, and nothing else, until a row of it is seen. */
function reveal(row, list) {
  const [at, frame] = [row.getBoundingClientRect(), list.getBoundingClientRect()];
  if (at.top < frame.top) list.scrollTop -= frame.top - at.top;
  else if (at.bottom > frame.bottom) list.scrollTop += at.bottom - frame.bottom;
}

const title = ({ label, score }) =>
  (score === null ? [label] : [label, element('small', { textContent: ` ${inHundredths(score)}` })]);

/** Where a shape is, as the API writes it. */
const placeOf = (shape) => (shape.kind === 'box'
  ? [shape.top, shape.left, shape.bottom, shape.right]
  : [shape.top, shape.left]);

const inWords = (shape) =>
  `${shape.label}${shape.score === null ? '' : ` ${shape.score.toFixed(2)}`}: `
  + `${shape.kind === 'box' ? 'box_2d' : 'point'} [${placeOf(shape).join(', ')}]`;
