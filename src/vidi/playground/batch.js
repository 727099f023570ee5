// One question about each of many pictures: few at a time, with a table that fills.

import { Refusal } from './api.js';
import { $, button, element, miniature } from './elements.js';
import { inDigits, inHundredths, say } from './language.js';
import { PLACES } from './prompt.js';
import { cellsOf, columnsOf, countsOf, csvOf, jsonOf } from './rows.js';
import { download, jsonFile } from './save.js';
import { foundNothing, newTurn } from './turn.js';

/** Questions that are on their way at the same time. */
const AT_ONCE = 3;

/** A server that is busy is asked so often, each time after as long as it says. */
const TRIES = 5;

/** Most seconds to wait for it. */
const LONGEST_WAIT = 30;

/** How much of an answer a cell of the page's table holds, in letters. */
const SHOWN = 300;

const pause = (seconds, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, seconds * 1000);
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

export class Batch {
  #room; #onmark; #onpick; #onagain; #columns = [];
  #rest = null; // the button that asks about the rest
  #running = false;

  /**
   * `onmark(picture, state)` is told how far a picture's question is, `onpick(turn)` that one is to be shown,
   * `onagain()` that the rest is to be asked about.
   */
  constructor(form, { room, onmark, onpick, onagain }) {
    this.turns = form.pictures.map((picture) => Object.assign(newTurn({ ...form, pictures: [picture] }), { state: 'waiting' }));
    this.#room = room;
    this.#onmark = onmark;
    this.#onpick = onpick;
    this.#onagain = onagain;
    for (const turn of this.turns) this.#mark(turn, 'waiting');
    this.show();
  }

  /** The turn about a picture, or undefined. */
  about(picture) {
    return this.turns.find(({ form }) => form.pictures[0] === picture);
  }

  /**
   * Ask about those that are not done. `ask(turn)` gives a sentence for what is wrong, or "", and raises a Refusal
   * of a server that is busy.
   */
  async run(ask, signal) {
    const waiting = this.turns.filter(({ state }) => state !== 'done');
    this.#running = true;
    for (const turn of waiting) this.#mark(turn, 'waiting');
    const worker = async () => {
      for (let turn = waiting.shift(); turn && !signal.aborted; turn = waiting.shift()) {
        this.#mark(turn, 'asked');
        turn.notice = await this.#patiently(turn, ask, signal);
        this.#mark(turn, signal.aborted && !turn.ended ? 'waiting' : turn.notice ? 'failed' : 'done');
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    this.#running = false;
    this.show();
  }

  async #patiently(turn, ask, signal) {
    for (let tried = 1; ; tried++) {
      try {
        Object.assign(turn, newTurn(turn.form));
        return await ask(turn);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (signal.aborted || tried === TRIES) return error.message;
        await pause(Math.min(error.wait, LONGEST_WAIT), signal);
        if (signal.aborted) return say('stopped');
      }
    }
  }

  #mark(turn, state) {
    turn.state = state;
    this.#onmark(turn.form.pictures[0], state);
    this.#fill(turn);
    this.#count();
  }

  #count() {
    const number = (...states) => this.turns.filter(({ state }) => states.includes(state)).length;
    const [ended, failed] = [number('done', 'failed'), number('failed')];
    if (this.#rest) this.#rest.hidden = this.#running || number('done') === this.turns.length;
    $('progress').max = this.turns.length;
    $('progress').value = ended;
    $('progress-text').textContent = say(failed ? 'progressFailed' : 'progress', { done: ended, all: this.turns.length, failed });
  }

  /** Write the whole table anew: in another language, or when all answers are known and so the columns. */
  show() {
    this.#columns = columnsOf(this.turns);
    const heads = [say('picture'), ...(this.#columns.length ? this.#columns : [say('answer')]), say('seconds')];
    const table = element('table', {}, element('thead', {}, element('tr', {}, ...heads.map((textContent) => element('th', { scope: 'col', textContent })))));
    table.append(element('tbody', {}, ...this.turns.map((turn) => this.#row(turn))));
    const scroller = element('div', { className: 'scroller', tabIndex: 0 }, table);
    scroller.setAttribute('role', 'region');
    scroller.setAttribute('aria-label', say('table'));
    this.#rest = button(say('askRest'), () => this.#onagain());
    this.#room.replaceChildren(
      element('h2', { textContent: this.turns[0].form.prompt || say('noQuestion') }),
      element('div', { className: 'chips' },
        button(say('saveCsv'), () => download('vidi.csv', new Blob([csvOf(this.turns)], { type: 'text/csv' }))),
        button(say('saveAnswer'), () => download('vidi.json', jsonFile(jsonOf(this.turns)))), this.#rest),
      scroller,
    );
    this.#room.hidden = false;
    for (const turn of this.turns) this.#fill(turn);
    this.#count();
  }

  #row(turn) {
    const [picture] = turn.form.pictures;
    const look = button('', () => this.#onpick(turn), 'look');
    look.append(miniature(picture), element('span', { textContent: picture.name }));
    const name = element('th', { scope: 'row' }, look);
    const count = (this.#columns.length || 1) + 1;
    turn.row = element('tr', {}, name, ...Array.from({ length: count }, () => element('td', {})));
    return turn.row;
  }

  #fill(turn) {
    if (!turn.row) return;
    const cells = [...turn.row.querySelectorAll('td')];
    turn.row.dataset.state = turn.state;
    const time = cells.pop();
    time.textContent = turn.total ? inHundredths(turn.total / 1000) : '';
    const texts = cells.length > 1 && turn.text ? cellsOf(turn, this.#columns) : [this.#line(turn)];
    for (const [at, cell] of cells.entries()) cell.textContent = (texts[at] ?? '').slice(0, SHOWN);
    if (turn.notice && turn.text) cells[0].append(` (${turn.notice})`);
  }

  /** An answer in one cell. */
  #line(turn) {
    if (turn.state === 'waiting' || turn.state === 'asked') return say(turn.state);
    if (foundNothing(turn)) return say('nothing');
    if (turn.form.as in PLACES && turn.shapes.length) {
      return countsOf(turn).map(([label, number]) => (number > 1 ? `${label} × ${inDigits(number)}` : label)).join(', ');
    }
    return turn.text || turn.notice;
  }

  close() {
    this.#room.hidden = true;
    this.#room.replaceChildren();
  }
}
