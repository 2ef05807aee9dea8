// @ts-check
// Makes the session page live. Without it the page works all the same, by forms and reloading.
import { Stream } from './stream.js';
import { People, Timeline, byId, one } from './timeline.js';

const { session: path = '', after = '0', me = '', ...words } = document.body.dataset;
const box = /** @type {HTMLTextAreaElement} */ (byId('text'));
const status = byId('status');
const timeline = new Timeline(byId('entries'), byId('log'), byId('jump'));
const people = new People(byId('people'), byId('typing'), words);
const title = document.title;

/* Sending: one after the other, so that the order stays; what fails for a while stays first in the queue. */

/** @type {{client: string, text: string}[]} */
const queue = [];
let sending = false;

/** @param {string} client @param {string} text */
function enqueue(client, text) {
  queue.push({ client, text });
  timeline.mark(client, words.sending ?? '');
  void sendQueued();
}

async function sendQueued() {
  if (sending) return;
  sending = true;
  while (queue.length && (await send(queue[0]))) queue.shift();
  sending = false;
  if (queue.length) setTimeout(sendQueued, 5_000);
}

/** @param {{client: string, text: string}} message @returns {Promise<boolean>} false: try the same again later */
async function send({ client, text }) {
  try {
    const answer = await post('messages', { client, text });
    const body = await answer.json().catch(() => ({})); // a proxy may answer in its own way
    if (answer.ok) {
      timeline.add(body);
    } else if (answer.status >= 500) {
      throw new Error(body.error?.message);
    } else {
      offerRetry(client, body.error?.message ?? '', () => enqueue(client, text));
    }
    return true;
  } catch {
    offerRetry(client, '', sendQueued);
    return false;
  }
}

/** @param {string} client @param {string} reason @param {() => void} again */
function offerRetry(client, reason, again) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = words.retry ?? '';
  button.addEventListener('click', () => { timeline.mark(client, words.sending ?? ''); again(); });
  const news = `${words.failed} ${reason}`.trim();
  if (timeline.mark(client, news, button)) announce(news);
}

addEventListener('beforeunload', (event) => { if (queue.length) event.preventDefault(); });

/** @param {string} what @param {Record<string, string>} fields */
const post = (what, fields) => submitTo(`${path}/${what}`, new URLSearchParams({ ...fields, me }));

/** @param {string} action @param {URLSearchParams} body */
function submitTo(action, body) {
  // keepalive: what is said on leaving the page still goes
  return fetch(action, {
    method: 'POST', headers: { Accept: 'application/json' }, body, keepalive: String(body).length < 1_000, signal: AbortSignal.timeout(15_000),
  });
}

/** The reader may not read on. */
let ended = false;

/** crypto.randomUUID is missing on plain HTTP; this is not. */
function newClient() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function submit() {
  const text = box.value.trim();
  if (!text || frozen) return;
  const client = newClient();
  timeline.echo(client, text);
  box.value = '';
  gestures.stopTyping();
  grow();
  enqueue(client, text);
}

function grow() {
  if (CSS.supports('field-sizing', 'content')) return;
  box.style.blockSize = 'auto';
  box.style.blockSize = `${box.scrollHeight}px`;
}

/** What is too long is said while it is written; the form does not send it then. */
function weigh() {
  const { bytes = '0', long = '' } = box.dataset;
  const before = box.validationMessage === long;
  const after = new TextEncoder().encode(box.value.trim()).length > Number(bytes);
  box.setCustomValidity(after ? long : '');
  if (after && !before) box.reportValidity();
}

if (box) {
  box.removeAttribute('maxlength'); // it would cut what is pasted, without a word
  const form = /** @type {HTMLFormElement} */ (byId('composer'));
  form.addEventListener('submit', (event) => { event.preventDefault(); submit(); });
  box.addEventListener('input', () => { grow(); weigh(); });
  box.addEventListener('keydown', (event) => {
    // On a touch keyboard, Enter is for a new line; while a word is composed (IME), it is for the word.
    const plain = event.key === 'Enter' && !event.shiftKey && !event.isComposing && matchMedia('(pointer: fine)').matches;
    if (plain) { event.preventDefault(); form.requestSubmit(); }
  });
}

/* Reading: what is at the end of a page that is visible and has the focus is read. */

let newest = Number(after), read = 0, unseen = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let marking;

function looked() {
  if (document.hidden || !document.hasFocus() || !timeline.atEnd()) return;
  unseen = 0;
  document.title = title;
  clearTimeout(marking);
  if (newest > read) marking = setTimeout(markRead, 400);
}

async function markRead() {
  const seq = newest;
  const answer = await post('read', { seq: String(seq) }).catch(() => null);
  if (answer?.ok) read = Math.max(read, seq);
}

addEventListener('focus', looked);
document.addEventListener('visibilitychange', looked);
byId('log').addEventListener('scroll', looked, { passive: true });
byId('jump').addEventListener('click', () => box?.focus());

/* What others may see of the reader. */

/** How often "here" and "typing" are said again, and after how long without input typing has ended, in ms. */
const hereEvery = 30_000, typingEvery = 4_000, typingEnds = 6_000;

/** Tells the server what the reader does: only after a real gesture, and only on a page that is looked at. */
class Gestures {
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

// A signal that is lost is lost: there is another one soon.
const gestures = new Gestures(box, (kind, on) => { if (!ended) post('signal', { kind, on: on ? '1' : '0' }).catch(() => {}); });

/* Telling those who do not see it. */

/** Says it to a screen reader, once. The visible log is silent: some readers would say all of it again. @param {string} text */
function announce(text) {
  const region = byId('announcer');
  const line = document.createElement('p');
  line.textContent = text;
  region.append(line);
  setTimeout(() => line.remove(), 1_000); // in less than 100 ms some readers miss it
}

/** @param {import('./timeline.js').Entry} entry */
function arrived(entry) {
  newest = Math.max(newest, entry.seq);
  if (entry.erases) timeline.erase(entry.erases, words.taken ?? '');
  const item = timeline.add(entry);
  if (item && !entry.own) {
    const text = one(item, '.text').textContent ?? '';
    announce(entry.name ? `${entry.name}: ${text}` : text);
    if (entry.said && (document.hidden || !document.hasFocus())) document.title = `(${++unseen}) ${title}`;
  }
  looked();
}

/* The end of writing. Words that were not sent are nowhere else: they stay, to be read and copied. */

/** Why nothing can be written, or ''. */
let frozen = '';

const unsent = () => Boolean(box?.value.trim() || document.querySelector('.pending, .failed'));

/** @param {string} reason '' lets the writing go on */
function freeze(reason) {
  frozen = reason && `${reason} ${words.kept}`;
  status.textContent = frozen;
  box.readOnly = Boolean(reason);
  /** @type {HTMLButtonElement} */ (byId('send')).disabled = Boolean(reason);
}

/* The room around the log. */

/** @param {import('./stream.js').Room} room */
function changed(room) {
  const other = room.me !== me; // another person's link was opened in this browser: the page shows the wrong one
  const stale = other || room.writable !== Boolean(box);
  if (stale && !unsent()) return location.reload();
  if (stale) freeze((other ? words.conflict : room.closed) ?? '');
  else if (frozen) freeze('');
  if (other) return;
  byId('subject').textContent = room.subject;
  people.show(room.people);
  list(byId('notices'), 'p', room.notices);
  list(byId('facts'), 'li', room.facts);
  one(document, '.menu .invite').hidden = !room.invites;
  if (!frozen && room.people.some((person) => person.id === me)) status.textContent = ''; // who had left is back
}

/** @param {HTMLElement} parent @param {string} name @param {string[]} texts */
function list(parent, name, texts) {
  if (texts.join('\n') === [...parent.children].map((item) => item.textContent).join('\n')) return;
  parent.replaceChildren(...texts.flatMap((text) => {
    const item = document.createElement(name);
    item.textContent = text;
    return [item, ' '];
  }));
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let worry;

/** @param {boolean} connected */
function connection(connected) {
  clearTimeout(worry);
  if (connected) {
    if (status.textContent === words.offline) status.textContent = frozen;
    void sendQueued();
  } else {
    worry = setTimeout(() => { status.textContent = words.offline ?? ''; }, 1_500); // a restart takes less
  }
}

/** The reader may not read on. What was shown goes, too; only their own unsent words stay. */
function gone() {
  if (unsent()) freeze(words.gone ?? '');
  else byId('composer')?.remove();
  if (!frozen) status.textContent = words.gone ?? '';
  timeline.clear();
  people.show([]);
  for (const id of ['notices', 'facts']) byId(id).replaceChildren();
  menu.hidden = ended = true;
}

/* The menus. Their forms work without this; with it the page, and what is being written, stays. */

const menu = /** @type {HTMLDetailsElement} */ (one(document, '.menu'));
const openMenus = () => /** @type {HTMLDetailsElement[]} */ ([...document.querySelectorAll('.menu[open], .person-menu[open]')]);
document.addEventListener('click', (event) => {
  for (const details of openMenus()) if (!details.contains(/** @type {Node} */ (event.target))) details.open = false;
});
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  for (const details of openMenus()) {
    details.open = false;
    one(details, 'summary').focus();
  }
});
document.addEventListener('submit', (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.dataset.live === undefined) return;
  event.preventDefault();
  void sendForm(form, event.submitter);
});

/** @param {HTMLFormElement} form @param {HTMLElement?} button */
async function sendForm(form, button) {
  const fields = /** @type {[string, string][]} */ ([...new FormData(form)]);
  button?.setAttribute('disabled', '');
  try {
    const answer = await submitTo(form.action, new URLSearchParams(fields));
    const body = await answer.json().catch(() => ({})); // 204, or a proxy that answers in its own way
    if (!answer.ok) return complain(form, body.error?.message);
    complain(form, form.dataset.live ? words[form.dataset.live] : '');
    if (form.dataset.live) return;
    form.reset();
    for (const details of openMenus()) details.open = false;
  } catch {
    complain(form, words.offline);
  } finally {
    button?.removeAttribute('disabled');
  }
}

/** Says in the form what became of it. @param {HTMLFormElement} form @param {string} [text] */
function complain(form, text) {
  let line = form.querySelector('[role=status]');
  if (!line) {
    line = document.createElement('p');
    line.setAttribute('role', 'status');
    form.append(line);
  }
  line.textContent = text || '';
}

new Stream(path, Number(after), { entry: arrived, room: changed, signals: (signs) => people.sign(signs), state: connection, gone }).start();
looked();
