// @ts-check
// The two lists of the page. Entries: puts each in its place, once, and keeps what the reader looks at where it is. People: who
// they are, who of them is here now and who is typing, which is as much as each person lets this reader see.

/**
 * What the server tells about a record: see timeline.go.
 * @typedef {string | [string, Record<string, string>, ...any]} Node
 * @typedef {{seq: number, at: string, member?: string, name?: string, initial?: string, hue?: number, badge?: string,
 *   own?: boolean, lang?: string, client?: string, said?: Node[], quiet?: string, erased?: boolean, erases?: Erasure}} Entry
 * @typedef {{up_to: number, member?: string, name?: string}} Erasure
 * @typedef {{id: string, name: string, address?: string, initial: string, hue: number, badge: string, waiting: boolean, remove?: string}} Person
 * @typedef {{member: string, typing: boolean, here: boolean}} Sign
 */

/** How many entries stay in the page; older ones are behind the link above them. */
const maxKept = 200;
/** How long one person's messages stand under one name, as in timeline.go. */
const followTime = 5 * 60_000;

const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: 'long', day: 'numeric', month: 'long' });
const fullDay = new Intl.DateTimeFormat(document.documentElement.lang, { day: 'numeric', month: 'long', year: 'numeric' });
const near = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: 'auto' });

/** @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {ParentNode} root @param {string} selector */
export const one = (root, selector) => /** @type {HTMLElement} */ (root.querySelector(selector));

/** A copy of the element in a <template>. @param {string} id */
export function stamp(id) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  return /** @type {HTMLElement} */ (/** @type {Element} */ (template.content.firstElementChild).cloneNode(true));
}

/** Takes on a hue, whatever hue the copy came with. @param {Element} element @param {number} hue */
export function paint(element, hue) {
  element.classList.remove('hue-1');
  element.classList.add(`hue-${hue}`);
}

const allowed = new Set(['href', 'target', 'rel', 'title', 'alt', 'lang', 'dir', 'start', 'colspan', 'rowspan']);

/** The server has made the nodes safe already; this holds even if it had not. @param {Node[]} nodes */
function build(nodes) {
  const fragment = document.createDocumentFragment();
  for (const node of nodes) {
    if (typeof node === 'string') {
      fragment.append(node);
      continue;
    }
    const [name, attributes, ...children] = node;
    if (/^(script|style|iframe|object|embed|link|meta|base|form|svg|math)$/i.test(name)) continue;
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (allowed.has(key) && (key !== 'href' || /^(https?|mailto|xmpp|matrix):/i.test(value))) element.setAttribute(key, value);
    }
    element.append(build(children));
    fragment.append(element);
  }
  return fragment;
}

/** @param {string} word */
const capital = (word) => word.charAt(0).toLocaleUpperCase(document.documentElement.lang) + word.slice(1);

/** The local day of an item's time, as a word. @param {Date} at */
function dayOf(at) {
  const midnight = (/** @type {Date} */ d) => new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
  const days = Math.round((midnight(at) - midnight(new Date())) / 86_400_000);
  if (days === 0 || days === -1) return capital(near.format(days, 'day'));
  return days > -180 ? weekday.format(at) : fullDay.format(at);
}

export class Timeline {
  /** @param {HTMLElement} list @param {HTMLElement} log what scrolls @param {HTMLElement} jump */
  constructor(list, log, jump) {
    this.list = list;
    this.log = log;
    this.jump = jump;
    jump.addEventListener('click', () => this.toEnd());
    log.addEventListener('scroll', () => { if (this.atEnd()) jump.hidden = true; }, { passive: true });
    this.#arrange();
  }

  /** The log is laid out from its end (column-reverse), so that the end is at 0. */
  atEnd() { return this.log.scrollTop > -8; }

  toEnd() {
    this.log.scrollTop = 0;
    this.jump.hidden = true;
  }

  /** Shows an entry once; an echo of it gives way. @param {Entry} entry @returns {HTMLElement?} the new item */
  add(entry) {
    if (this.#find(entry.seq)) return null;
    const item = this.#item(entry);
    this.#keepingPlace(() => {
      const echo = entry.client ? this.#echo(entry.client) : null;
      echo?.remove();
      if (echo) item?.classList.remove('new'); // it has arrived before
      if (item) this.#place(item, entry.seq);
    });
    return item;
  }

  /** Shows what was written before the server has it. @param {string} client @param {string} text */
  echo(client, text) {
    const item = stamp('message');
    item.classList.add('own', 'pending', 'new');
    item.removeAttribute('id');
    delete item.dataset.seq;
    item.dataset.client = client;
    one(item, '.text').append(...text.split('\n').flatMap((line, i) => (i ? [document.createElement('br'), line] : [line])));
    this.#time(item, new Date());
    this.list.append(item);
    this.#arrange();
    this.toEnd();
    return item;
  }

  /** Says what became of an echo. @param {string} client @param {string} words @param {HTMLElement} [action] @returns if it has just failed */
  mark(client, words, action) {
    const item = this.#echo(client);
    if (!item) return false;
    const fails = Boolean(action) && !item.classList.contains('failed');
    item.classList.toggle('failed', Boolean(action));
    item.classList.toggle('pending', !action);
    one(item, '.state').replaceChildren(words, ...(action ? [action] : []));
    return fails;
  }

  /** Empties what a member, or everybody, has said up to a seq. @param {Erasure} erasure @param {string} words in its place */
  erase({ up_to: upTo, member, name }, words) {
    for (const item of /** @type {NodeListOf<HTMLElement>} */ (this.list.querySelectorAll('[data-member][data-seq]'))) {
      if (Number(item.dataset.seq) > upTo || (member && item.dataset.member !== member)) continue;
      one(item, '.text').textContent = words;
      if (!item.matches('.message')) continue;
      item.classList.add('erased');
      if (name) one(item, '.name').textContent = name;
      if (name) one(item, '.avatar').textContent = name.charAt(0).toUpperCase();
    }
  }

  /** Takes away everything that the server told; what was not sent yet stays. */
  clear() {
    for (const item of this.list.querySelectorAll('[data-seq]')) item.remove();
    /** @type {HTMLElement} */ (byId('earlier').parentElement).hidden = true;
    this.jump.hidden = true;
    this.#arrange();
  }

  /** @param {number} seq */
  #find(seq) { return this.list.querySelector(`[data-seq="${seq}"]`); }

  /** @param {string} client */
  #echo(client) { return /** @type {HTMLElement?} */ (this.list.querySelector(`[data-client="${CSS.escape(client)}"]`)); }

  /** @param {Entry} entry */
  #item(entry) {
    if (!entry.said && !entry.quiet) return null;
    const item = stamp(entry.said ? 'message' : 'quiet');
    item.dataset.seq = String(entry.seq);
    item.classList.add('new');
    this.#time(item, new Date(entry.at));
    if (entry.said) this.#fill(item, entry);
    else one(item, '.text').textContent = entry.quiet ?? '';
    if (entry.quiet && entry.member) item.dataset.member = entry.member;
    return item;
  }

  /** @param {HTMLElement} item @param {Entry} entry */
  #fill(item, entry) {
    item.id = `m${entry.seq}`;
    item.dataset.member = entry.member;
    paint(item, entry.hue ?? 1);
    item.classList.toggle('own', Boolean(entry.own));
    item.classList.toggle('erased', Boolean(entry.erased));
    one(item, '.avatar').textContent = entry.initial ?? '';
    one(item, '.name').textContent = entry.name ?? '';
    one(item, '.badge').textContent = entry.badge ?? '';
    const text = one(item, '.text');
    if (entry.lang) text.lang = entry.lang;
    text.append(build(entry.said ?? []));
  }

  /** @param {HTMLElement} item @param {Date} at */
  #time(item, at) {
    const time = /** @type {HTMLTimeElement} */ (one(item, 'time'));
    time.dateTime = at.toISOString();
  }

  /** Puts an item behind the last one with a lower seq; echoes stay last. @param {HTMLElement} item @param {number} seq */
  #place(item, seq) {
    const items = /** @type {HTMLElement[]} */ ([...this.list.children]);
    const before = items.findLast((other) => Number(other.dataset.seq) < seq);
    if (before) before.after(item);
    else this.list.prepend(item);
    this.#arrange();
  }

  /** @param {() => void} change */
  #keepingPlace(change) {
    const atEnd = this.atEnd();
    const edge = this.log.getBoundingClientRect().top;
    const anchor = atEnd ? undefined : [...this.list.children].find((item) => item.getBoundingClientRect().bottom > edge);
    const top = anchor?.getBoundingClientRect().top ?? 0;
    change();
    if (anchor?.isConnected) {
      this.log.scrollTop += anchor.getBoundingClientRect().top - top;
      this.jump.hidden = false;
    } else if (atEnd) {
      this.#forget();
      this.log.scrollTop = 0;
    }
  }

  /** Drops the oldest entries beyond maxKept. */
  #forget() {
    const items = /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll('[data-seq]')]);
    const surplus = items.slice(0, Math.max(0, items.length - maxKept));
    if (!surplus.length) return;
    for (const item of surplus) item.remove();
    const link = /** @type {HTMLAnchorElement} */ (byId('earlier'));
    link.search = `?before=${items[surplus.length].dataset.seq}`;
    /** @type {HTMLElement} */ (link.parentElement).hidden = false;
    this.#arrange();
  }

  /** Sets days, groups and clock times in the reader's own time zone. */
  #arrange() {
    for (const day of this.list.querySelectorAll('.day')) day.remove();
    let lastDay = '', lastWho = '', lastAt = 0;
    for (const item of /** @type {HTMLElement[]} */ ([...this.list.children])) {
      const time = /** @type {HTMLTimeElement} */ (one(item, 'time'));
      const at = new Date(time.dateTime);
      time.textContent = clock.format(at);
      const day = dayOf(at);
      const who = this.#speaker(item);
      item.classList.toggle('follows', Boolean(who) && who === lastWho && day === lastDay && at.getTime() - lastAt < followTime);
      if (day !== lastDay) item.before(this.#dayLine(day, time.dateTime));
      [lastDay, lastWho, lastAt] = [day, who, at.getTime()];
    }
  }

  /** Who speaks in an item, and by which network. @param {HTMLElement} item */
  #speaker(item) {
    if (item.matches('.own')) return 'own';
    return item.matches('.message') ? `${item.dataset.member} ${one(item, '.badge').textContent}` : '';
  }

  /** @param {string} day @param {string} stampText */
  #dayLine(day, stampText) {
    const line = stamp('day');
    const time = /** @type {HTMLTimeElement} */ (one(line, 'time'));
    time.dateTime = stampText;
    time.textContent = day;
    return line;
  }
}

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
