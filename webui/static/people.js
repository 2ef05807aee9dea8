// @ts-check
// The list of people, who of them is here now and who is typing: as much as the server says, which is as much as each
// person lets this reader see.
import { byId, one, paint, stamp } from './timeline.js';

/**
 * @typedef {{id: string, name: string, address?: string, initial: string, hue: number, badge: string, waiting: boolean, remove?: string}} Person
 * @typedef {{member: string, typing: boolean, here: boolean}} Sign
 */

export class People {
  /** @param {HTMLElement} list @param {HTMLElement} line says who is typing @param {Record<string, string | undefined>} words */
  constructor(list, line, words) {
    this.list = list;
    this.line = line;
    this.words = words;
    /** @type {Sign[]} */
    this.signs = [];
  }

  /** Shows these people. Who was shown before keeps the item: its menu may be open. @param {Person[]} people */
  show(people) {
    const items = people.map((person) => this.#fill(this.#item(person.id) ?? stamp('person'), person));
    const same = items.length === this.list.children.length && items.every((item, i) => item === this.list.children[i]);
    if (!same) this.list.replaceChildren(...items);
    this.sign(this.signs);
  }

  /** Shows who is here and who is typing. @param {Sign[]} signs */
  sign(signs) {
    this.signs = signs;
    const here = new Set(signs.filter((sign) => sign.here).map((sign) => sign.member));
    for (const item of this.#items()) one(item, '.dot').hidden = !here.has(item.dataset.member ?? '');
    const typing = new Set(signs.filter((sign) => sign.typing).map((sign) => sign.member));
    const names = this.#items().filter((item) => typing.has(item.dataset.member ?? '')).map((item) => one(item, '.name').textContent ?? '');
    const text = names.length > 2 ? this.words.typingMany : names.length === 2 ? this.words.typingTwo : names.length ? this.words.typingOne : '';
    this.line.textContent = (text ?? '').replace(/%([12])/g, (_, i) => names[i - 1]);
  }

  #items() { return /** @type {HTMLElement[]} */ ([...this.list.children]); }

  /** @param {string} id */
  #item(id) { return this.#items().find((item) => item.dataset.member === id); }

  /** @param {HTMLElement} item @param {Person} person */
  #fill(item, person) {
    item.dataset.member = person.id;
    paint(item, person.hue);
    item.classList.toggle('waiting', person.waiting);
    one(item, '.name').textContent = person.name;
    one(item, '.address').textContent = person.address ?? '';
    one(item, '.badge').textContent = person.badge;
    one(item, '.avatar').textContent = person.initial;
    const menu = item.querySelector('details');
    if (menu) {
      menu.hidden = !person.remove;
      one(menu, 'summary').setAttribute('aria-label', (this.words.menu ?? '').replace('%1', () => person.name));
      one(menu, '.whom').textContent = person.name;
      one(menu, 'form').setAttribute('action', person.remove ?? '');
    }
    return item;
  }
}

/** How often "here" and "typing" are said again, and after how long without input typing has ended, in ms. */
const hereEvery = 30_000, typingEvery = 4_000, typingEnds = 6_000;

/** Tells the server what the reader does: only after a real gesture, and only on a page that is looked at. */
export class Gestures {
  /** @param {HTMLTextAreaElement | null} box @param {(kind: 'here' | 'typing', on: boolean) => void} tell */
  constructor(box, tell) {
    this.tell = tell;
    this.hereAt = -Infinity;
    this.typingAt = -Infinity;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.typingTimer = undefined;
    // Not "scroll": the page itself scrolls when a message comes.
    for (const kind of ['pointerdown', 'pointermove', 'keydown', 'touchstart', 'touchmove', 'wheel']) {
      addEventListener(kind, (event) => this.#gesture(event), { passive: true, capture: true });
    }
    document.addEventListener('visibilitychange', () => { if (document.hidden) this.#away(); });
    addEventListener('pagehide', () => this.#away());
    box?.addEventListener('input', (event) => { if (event.isTrusted) this.#typed(Boolean(box.value.trim())); });
  }

  /** The words were sent, or taken back. */
  stopTyping() {
    clearTimeout(this.typingTimer);
    if (this.typingAt === -Infinity) return;
    this.typingAt = -Infinity;
    this.tell('typing', false);
  }

  /** @param {Event} event */
  #gesture(event) {
    if (!event.isTrusted || document.hidden || !document.hasFocus() || performance.now() - this.hereAt < hereEvery) return;
    this.hereAt = performance.now();
    this.tell('here', true);
  }

  #away() {
    this.stopTyping();
    if (this.hereAt === -Infinity) return;
    this.hereAt = -Infinity;
    this.tell('here', false);
  }

  /** @param {boolean} something is in the box */
  #typed(something) {
    if (!something) return this.stopTyping();
    clearTimeout(this.typingTimer);
    this.typingTimer = setTimeout(() => this.stopTyping(), typingEnds);
    if (performance.now() - this.typingAt < typingEvery) return;
    this.typingAt = performance.now();
    this.tell('typing', true);
  }
}
