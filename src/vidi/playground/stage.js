// The pictures of the form: one large on the stage, all in the strip below it.

import { Refusal } from './api.js';
import { $, button, element, miniature } from './elements.js';
import { say } from './language.js';
import { openPicture } from './pictures.js';

export class Stage {
  #states = new WeakMap(); // picture => how far the question about it is

  /** Calls `onshow(picture)` when another picture is shown and `onchange()` when the list is another. */
  constructor({ onshow, onchange }) {
    this.pictures = [];
    this.active = null;
    this.onshow = onshow;
    this.onchange = onchange;
  }

  /** Add files; `ontaken(count)` is told after each. Gives what was refused, as one Refusal for each file. */
  async take(files, ontaken = () => {}) {
    const refused = [];
    const names = new Set(this.pictures.map(({ name }) => name));
    for (const [at, file] of files.entries()) {
      try {
        const picture = await openPicture(file, names);
        names.add(picture.name);
        this.pictures.push(picture);
        this.active = picture;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        refused.push(error);
      }
      ontaken(at + 1);
    }
    this.#changed();
    return refused;
  }

  /** Say in the strip how far the question about a picture is: "waiting", "asked", "done", "failed", or "". */
  mark(picture, state) {
    this.#states.set(picture, state);
    const item = $('thumbs').children[this.pictures.indexOf(picture)];
    if (item) item.dataset.state = state;
  }

  /** Forget what the strip says of questions. */
  unmark() {
    this.#states = new WeakMap();
    for (const item of $('thumbs').children) delete item.dataset.state;
  }

  /** Put other pictures in place of all. */
  replace(pictures) {
    this.pictures = [...pictures];
    this.active = this.pictures[0] ?? null;
    this.show();
  }

  show() {
    const { active } = this;
    $('empty').hidden = Boolean(active);
    $('frame').hidden = !active;
    $('thumbs').replaceChildren(...this.pictures.map((picture) => this.#thumb(picture)));
    if (active) hang(active);
    this.onshow(active);
  }

  #changed() {
    this.show();
    this.onchange();
  }

  #remove(picture) {
    const at = this.pictures.indexOf(picture);
    this.pictures.splice(at, 1);
    if (this.active === picture) this.active = this.pictures[at] ?? this.pictures.at(-1) ?? null;
    this.#changed();
    this.#focus(this.active);
  }

  #move(picture, by) {
    const { pictures } = this;
    const at = pictures.indexOf(picture);
    if (!pictures[at + by]) return;
    [pictures[at], pictures[at + by]] = [pictures[at + by], pictures[at]];
    this.#changed();
    this.#focus(picture);
  }

  #focus(picture) {
    const item = $('thumbs').children[this.pictures.indexOf(picture)];
    (item?.firstChild ?? $('files')).focus();
  }

  #thumb(picture) {
    const { name } = picture;
    const look = button('', () => {
      this.active = picture;
      this.show();
      this.#focus(picture);
    }, 'thumb');
    look.append(miniature(picture));
    look.title = say('moves', { name });
    look.setAttribute('aria-label', say('show', { name }));
    look.setAttribute('aria-current', String(picture === this.active));
    look.onkeydown = (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || !event.altKey) return;
      event.preventDefault();
      this.#move(picture, by);
    };
    const away = button('×', () => this.#remove(picture), 'away');
    away.setAttribute('aria-label', say('remove', { name }));
    const item = element('li', {}, look, away);
    if (this.#states.get(picture)) item.dataset.state = this.#states.get(picture);
    return item;
  }
}

/** Put a picture on the stage, upright as the browser shows it and in the proportions of its file. */
function hang({ width, height, unseen, name, url }) {
  const image = $('picture');
  image.hidden = Boolean(unseen);
  $('unseen').hidden = !unseen;
  $('unseen').textContent = unseen;
  if (unseen) image.removeAttribute('src');
  else if (image.src !== url) image.src = url;
  image.alt = name;
  $('frame').style.setProperty('--ratio', width ? width / height : 4 / 3);
  $('frame').style.setProperty('--natural', `${width || 640}px`);
}
