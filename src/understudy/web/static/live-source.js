// The stream itself: one EventSource, opened anew when it breaks, and asking every few seconds while it cannot be had.
// @ts-check

/**
 * One message of the service: `t` the topic, `at` epoch seconds, then `d` (what changed by key; `r` keys that are gone,
 * `i` all there is), `f` (new items, `s` how many were left out) or `x` (cannot be read now). Without `t` a sign of life.
 * @typedef {{t?: string, at: number, d?: Record<string, any>, r?: string[], i?: 1, f?: any[], s?: number, x?: 1}} Message
 * @typedef {{state: "connecting"|"live"|"polling"|"waiting"|"ended", next?: number}} Status
 */

/** Silence after which a stream is taken for dead, and how often is asked without one, ms. */
const SILENT = 7000, POLLED = 5000;
/** Waits before the stream is tried again, ms; the last one from then on. Each is drawn from its upper half. */
const WAITS = [500, 1000, 2000, 4000, 8000, 15000];
/** Longest list of topics that goes into an address; longer ones follow when the stream is open. */
const IN_ADDRESS = 1500;

export class Source {
  /**
   * @param {(message: Message) => void} told
   * @param {(status: Status) => void} changed
   */
  constructor(told, changed) {
    this.told = told;
    this.changed = changed;
    /** @type {string[]} */ this.topics = [];
    /** @type {string[]} What the open stream listens to. */ this.listened = [];
    this.after = "";
    this.key = "";
    this.failures = 0;
    this.heard = 0;
    /** @type {EventSource|null} */ this.stream = null;
    this.timer = 0;
    this.asking = false;
    this.ended = false;
    this.watch = setInterval(() => this.look(), 1000);
    this.again = () => { if (!this.stream && !this.ended) this.open(); };
    globalThis.addEventListener("online", this.again);
  }

  /**
   * Listen to these topics from now on.
   * @param {string[]} topics
   */
  want(topics) {
    this.topics = topics;
    if (this.ended) return;
    if (!this.stream && !this.timer) this.open();
    else if (this.key) this.tell();
  }

  stop() {
    this.ended = true;
    clearInterval(this.watch);
    clearTimeout(this.timer);
    globalThis.removeEventListener("online", this.again);
    this.stream?.close();
  }

  open() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.stream?.close();
    this.key = "";
    if (this.failures === 0) this.changed({ state: "connecting" });
    const known = this.topics.filter((each) => !this.after || this.listened.includes(each));
    const short = JSON.stringify(known).length <= IN_ADDRESS;
    this.listened = short ? known : [];
    const query = new URLSearchParams({ topics: JSON.stringify(this.listened) });
    if (this.after && short) query.set("after", this.after);
    const stream = new EventSource(`/live?${query}`);
    this.stream = stream;
    this.heard = Date.now();
    stream.addEventListener("hello", (event) => {
      this.key = JSON.parse(event.data).stream;
      this.failures = 0;
      this.heard = Date.now();
      this.changed({ state: "live" });
      this.tell();
    });
    stream.addEventListener("bye", (event) => {
      if (JSON.parse(event.data).why === "signed out") this.end();
      else this.broken();
    });
    stream.onmessage = (event) => {
      this.heard = Date.now();
      if (event.lastEventId) this.after = event.lastEventId;
      this.told(JSON.parse(event.data));
    };
    stream.onerror = () => this.broken();
  }

  /** Tell the service which topics the stream is for, where that is not known yet. */
  async tell() {
    const topics = this.topics, stream = this.stream;
    if (topics.length === this.listened.length && topics.every((each) => this.listened.includes(each))) return;
    this.listened = topics;
    try {
      const answer = await fetch(`/live/${this.key}/topics`, {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ topics }),
      });
      if (!answer.ok && stream === this.stream) this.broken();
    } catch {
      if (stream === this.stream) this.broken();
    }
  }

  /** A stream that says nothing is dead, whatever the browser believes. */
  look() {
    if (this.stream && Date.now() - this.heard > SILENT) this.broken();
  }

  broken() {
    if (this.ended) return;
    this.stream?.close();
    this.stream = null;
    this.key = "";
    const most = WAITS[Math.min(this.failures, WAITS.length - 1)];
    const wait = most / 2 + Math.random() * (most / 2);
    this.failures += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), wait);
    this.changed({ state: "waiting", next: Date.now() + wait });
    if (!this.asking) this.ask();
  }

  /** While there is no stream, ask every few seconds; the first time after a second, as most breaks are short. */
  async ask() {
    this.asking = true;
    await pause(1000);
    while (!this.key && !this.ended) {
      const topics = this.topics;
      const query = new URLSearchParams({ topics: JSON.stringify(topics) });
      if (this.after && topics.every((each) => this.listened.includes(each))) query.set("after", this.after);
      try {
        const answer = await fetch(`/live/snapshot?${query}`);
        if (answer.status === 401 || answer.status === 403) return this.end();
        if (answer.ok && !this.key) {
          const content = await answer.json();
          for (const message of content.messages) this.told(message);
          this.told({ at: content.at });
          this.after = content.id;
          this.listened = topics;
          this.changed({ state: "polling" });
        }
      } catch {
        // The service is away: the stream is tried again by its own clock, and so is this.
      }
      await pause(POLLED);
    }
    this.asking = false;
  }

  end() {
    this.stop();
    this.changed({ state: "ended" });
  }
}

/** @param {number} time ms */
function pause(time) {
  return new Promise((resolve) => setTimeout(resolve, time));
}
