// Two models side by side: the same pictures and question, a column each.

import { button, element } from './elements.js';
import { say } from './language.js';
import { Overlay } from './overlay.js';
import { PLACES } from './prompt.js';
import { foundNothing, statsOf } from './turn.js';

class Column {
  #answer = element('div', { className: 'answer' });
  #nothing = element('p', { className: 'nothing', hidden: true });
  #items = element('ol', { className: 'items' });
  #notice = element('p', { className: 'notice', hidden: true });
  #stats = element('p', { className: 'stats' });
  #on; #overlay; #image;

  /** `goon(turn)` is called when a person wants to ask this model further. */
  constructor(turn, goon) {
    this.turn = turn;
    this.#image = element('img', { alt: '' });
    const layer = element('div', { className: 'layer', tabIndex: -1 });
    layer.setAttribute('role', 'group');
    layer.setAttribute('aria-label', say('found'));
    const [slider, veil] = [0, 1].map(() => element('input', { type: 'range' }));
    const [sliderLabel, readout] = [element('span'), element('p', { className: 'readout' })];
    const legend = element('div', { className: 'legend' });
    legend.setAttribute('role', 'group');
    legend.setAttribute('aria-label', say('legend'));
    veil.value = 50;
    const panel = element(
      'div', { className: 'found', hidden: true }, legend, element('label', { className: 'slider' }, sliderLabel, slider),
      element('label', { className: 'slider', hidden: true }, element('span', { textContent: say('veil') }), veil), readout,
    );
    this.#on = button(say('goOn'), () => goon(turn));
    this.#on.hidden = true;
    const name = element('h2', { textContent: turn.form.modelName });
    this.frame = element('figure', { className: 'frame' }, this.#image, layer);
    this.frame.hidden = !turn.form.pictures.length;
    this.#items.setAttribute('aria-label', say('found'));
    this.node = element('section', {}, name, this.frame, panel, this.#answer, this.#nothing, this.#items, this.#notice, this.#stats, this.#on);
    this.node.setAttribute('aria-label', turn.form.modelName);
    this.node.classList.toggle('said', !(turn.form.as in PLACES));
    this.#answer.classList.toggle('code', turn.form.as !== 'text');
    this.#overlay = new Overlay({ layer, legend, slider, sliderLabel, readout, panel, list: this.#items, veil });
  }

  /** Put one of the pictures there. */
  turnTo(picture) {
    const at = this.turn.form.pictures.indexOf(picture);
    if (at < 0) return;
    const { url, unseen, width, height, name } = picture;
    this.frame.style.setProperty('--ratio', width ? width / height : 4 / 3);
    this.frame.style.setProperty('--natural', `${width || 640}px`);
    this.#image.hidden = Boolean(unseen);
    if (!unseen) this.#image.src = url;
    this.#image.alt = name;
    this.#overlay.turnTo(at);
  }

  hear(text, shapes) {
    this.#answer.append(text);
    this.#stats.textContent = statsOf(this.turn);
    this.#overlay.add(shapes);
    if (shapes.length && this.turn.form.as in PLACES) this.#answer.hidden = true;
  }

  end() {
    const { turn } = this;
    const nothing = foundNothing(turn);
    this.#nothing.hidden = !nothing;
    this.#nothing.textContent = nothing ? say('nothing') : '';
    if (nothing || !turn.text) this.#answer.hidden = true;
    this.#notice.hidden = !turn.notice;
    this.#notice.textContent = turn.notice;
    this.#on.hidden = !turn.text.trim();
  }
}

export class Versus {
  #columns = [];
  #room; #goon;

  constructor(room, goon) {
    this.#room = room;
    this.#goon = goon;
  }

  /** Show turns, each in its column, with what they have heard so far. */
  show(turns, picture) {
    this.#columns = turns.map((turn) => new Column(turn, this.#goon));
    this.#room.replaceChildren(...this.#columns.map(({ node }) => node));
    this.#room.hidden = false;
    this.turnTo(picture);
    for (const column of this.#columns) {
      column.hear(column.turn.text, column.turn.shapes);
      if (column.turn.closed) column.end();
    }
  }

  /** Whether these turns are on the page. */
  get turns() {
    return this.#room.hidden ? [] : this.#columns.map(({ turn }) => turn);
  }

  turnTo(picture) {
    for (const column of this.#columns) column.turnTo(picture);
  }

  hear(turn, text, shapes) {
    this.#columns.find((each) => each.turn === turn)?.hear(text, shapes);
  }

  end(turn) {
    this.#columns.find((each) => each.turn === turn)?.end();
  }

  close() {
    this.#room.hidden = true;
    this.#room.replaceChildren();
    this.#columns = [];
  }
}
