// @ts-check
// Follows the log of a session from a position on, through whatever happens to the connection.
//
// One tab of a browser leads and holds the stream; it tells the others (Web Locks, BroadcastChannel). Without that, seven
// tabs would take all six connections that HTTP/1.1 has, and nobody could send any more. The browser's own retry of
// EventSource is not used: it gives up for ever after a single 503.

/**
 * @typedef {import('./timeline.js').Entry} Entry
 * @typedef {import('./timeline.js').Sign} Sign
 * @typedef {{me: string, subject: string, people: import('./timeline.js').Person[], writable: boolean, invites: boolean,
 *   notices: string[], facts: string[], closed?: string}} Room
 * @typedef {{entry: (e: Entry) => void, room: (r: Room) => void, signals: (signs: Sign[]) => void,
 *   state: (connected: boolean) => void, gone: () => void}} Reader
 */

/** How many sessions of one browser may stream at a time; the others look every few seconds. */
const slots = 4;
const slowLook = 5_000;
/** Without a hello in this time something between holds the stream back: long polls get through. */
const helloTime = 5_000;
/** The server pings every 20 s. */
const silence = 50_000;
const firstDelay = 250, lastDelay = 30_000;
/** A hidden tab that cannot share the stream closes its own after this time. */
const hiddenTime = 10_000;

export class Stream {
  /** @param {string} path of the session @param {number} after @param {Reader} reader */
  constructor(path, after, reader) {
    this.path = path;
    this.after = after;
    this.reader = reader;
    this.delay = firstDelay;
    this.deaf = false; // no stream gets through
    this.over = false;
    this.leads = false;
    this.wake = () => {};
    this.stop = () => {};
    this.channel = 'locks' in navigator && 'BroadcastChannel' in window ? new BroadcastChannel(`mailroom ${path}`) : null;
  }

  start() {
    addEventListener('online', () => this.wake());
    addEventListener('pageshow', (event) => { if (event.persisted) this.#look(); });
    document.addEventListener('visibilitychange', () => this.#visibility());
    if (!this.channel) return void this.#run();
    this.channel.onmessage = (event) => this.#told(event.data);
    void navigator.locks.request(`mailroom ${this.path}`, () => {
      this.leads = true;
      return this.#run();
    });
    // Between the making of this page and now the leader may have told something that nobody here heard.
    setTimeout(() => { if (!this.leads) this.#look(); }, 100);
  }

  /** A tab that was put to sleep looks for what it missed. */
  #visibility() {
    clearTimeout(this.hiding);
    if (document.hidden) {
      if (!this.channel) this.hiding = setTimeout(() => this.stop(), hiddenTime);
      return;
    }
    this.wake();
    if (this.channel && !this.leads) this.#look();
  }

  #look() { this.#poll(0).catch(() => {}); } // the next hint or look finds the same

  /** Runs as long as the page lives. */
  async #run() {
    for (let first = true; !this.over; first = false) {
      try {
        // The look before the stream tells a refusal (404) from a fault; EventSource hides the status.
        if (!first) await this.#poll(this.deaf ? 25 : 0);
        if (!this.over && !this.deaf && !(await this.#withSlot())) await this.#pause(slowLook);
      } catch {
        this.#state(false);
        await this.#pause(this.delay * (0.5 + Math.random()));
        this.delay = Math.min(this.delay * 2, lastDelay);
      }
    }
  }

  /** Listens if one of the slots is free, until the stream breaks. */
  async #withSlot() {
    if (!this.channel) return this.#listen();
    for (let i = 0; i < slots; i++) {
      const free = await navigator.locks.request(`mailroom slot ${i}`, { ifAvailable: true }, (lock) => lock && this.#listen());
      if (free) return true;
    }
    return false;
  }

  /** @returns {Promise<boolean>} true when the stream was ended on purpose; it fails when the stream breaks */
  #listen() {
    return new Promise((resolve, reject) => {
      const source = new EventSource(`${this.path}/events?after=${this.after}`);
      const end = (/** @type {() => void} */ how) => { clearTimeout(timer); source.close(); how(); };
      const broken = () => end(() => reject(new Error('the stream broke')));
      let timer = setTimeout(() => { this.deaf = true; end(() => resolve(true)); }, helloTime);
      const alive = () => { clearTimeout(timer); timer = setTimeout(broken, silence); };
      this.stop = () => end(() => this.#pause(lastDelay * 1000).then(() => resolve(true)));
      const on = (/** @type {string} */ name, /** @type {(data: any) => void} */ then) =>
        source.addEventListener(name, (event) => { alive(); then(JSON.parse(event.data)); });
      on('hello', () => { this.delay = firstDelay; this.#state(true); });
      on('entry', (entry) => this.#tell('entry', entry));
      on('room', (room) => this.#tell('room', room));
      on('signals', (signs) => this.#tell('signals', signs));
      on('ping', () => {});
      on('gone', () => end(() => { this.#gone(); resolve(true); }));
      source.onerror = broken;
    });
  }

  /** One look at what is new, which waits so many seconds for something. @param {number} wait */
  async #poll(wait) {
    const answer = await fetch(`${this.path}/events?after=${this.after}&wait=${wait}`, {
      headers: { Accept: 'application/json' }, signal: AbortSignal.timeout((wait + 15) * 1000),
    });
    if (answer.status === 404) return this.#gone();
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { entries, signals, ...room } = await answer.json();
    this.#tell('room', room);
    for (const entry of entries ?? []) this.#tell('entry', entry);
    this.#tell('signals', signals);
    this.#state(true);
  }

  /** Tells this tab, and, as the leader, the others. @param {string} what @param {any} data */
  #tell(what, data) {
    if (this.leads) this.channel?.postMessage({ what, data });
    this.#told({ what, data });
  }

  /** @param {{what: string, data: any}} message */
  #told({ what, data }) {
    if (what === 'room') this.reader.room(data);
    if (what === 'signals') this.reader.signals(data);
    if (what === 'state') this.reader.state(data);
    if (what === 'gone') this.reader.gone();
    if (what !== 'entry' || data.seq <= this.after) return;
    // A tab that opened after its leader went on has a gap: read all of it, and this entry with it.
    if (!this.leads && this.channel && data.seq > this.after + 1 && !this.looking) {
      this.looking = true;
      this.#poll(0).catch(() => {}).finally(() => { this.looking = false; });
      return;
    }
    this.after = data.seq;
    this.reader.entry(data);
  }

  /** @param {boolean} connected */
  #state(connected) { this.#tell('state', connected); }

  #gone() {
    this.over = true;
    this.#tell('gone', null);
  }

  /** Waits, or until there is a reason to go on at once. @param {number} time in ms */
  #pause(time) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(time, 0x7fffffff));
      this.wake = () => { clearTimeout(timer); resolve(undefined); };
    });
  }
}
