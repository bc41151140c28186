// One stream for all tabs of a browser: the tab that leads owns it and hands everything on, the others ask it.
// A browser opens six connections to one service at most, so a stream in every tab would leave the seventh without pages.
// @ts-check

import { Source } from "./live-source.js";

/**
 * @typedef {import("./live-source.js").Message} Message
 * @typedef {import("./live-source.js").Status} Status
 * @typedef {{told: (message: Message) => void, changed: (status: Status) => void}} Tab
 */

const NAME = "understudy-live";
/** Words between tabs that cannot lock: how long a leader may say nothing, and how long it has to answer, ms. */
const QUIET = 5000, ANSWER = 400;
/** A tab that has not said what it wants for this long is gone, ms; it says so every minute. */
const FORGOTTEN = 180000, SAID = 60000;
/** Items of what happens that a tab is told that comes later. */
const RECENT = 50;

const bytes = crypto.getRandomValues(new Uint32Array(4));
const me = [...bytes].map((each) => each.toString(16).padStart(8, "0")).join("");

/** What the leading tab does for all. */
class Leader {
  /** @param {(word: any) => void} say to the other tabs and to this one */
  constructor(say) {
    this.say = say;
    /** @type {Map<string, {topics: string[], at: number}>} */ this.wants = new Map();
    /**
     * What is known of each topic, for tabs that come later.
     * @type {Map<string, Message>}
     */
    this.known = new Map();
    /** @type {Status} */ this.status = { state: "connecting" };
    this.timer = 0;
    this.source = new Source((message) => this.told(message), (status) => {
      this.status = status;
      say({ k: "status", status });
    });
    this.tidy = setInterval(() => this.forget(), SAID);
  }

  /** @param {Message} message */
  told(message) {
    const { t, at, d, f } = message;
    if (t && (d || f)) {
      const known = message.i ? undefined : this.known.get(t);
      const values = { ...known?.d, ...d };
      for (const key of message.r ?? []) delete values[key];
      this.known.set(t, d ? { t, at, d: values, i: 1 } : { t, at, f: [...known?.f ?? [], ...f ?? []].slice(-RECENT), i: 1 });
    }
    this.say({ k: "message", message });
  }

  /**
   * A tab says what it wants.
   * @param {string} tab
   * @param {string[]} topics
   * @param {string[]} fresh
   */
  want(tab, topics, fresh) {
    this.wants.set(tab, { topics, at: Date.now() });
    this.say({ k: "status", to: tab, status: this.status });
    for (const topic of fresh) {
      const known = this.known.get(topic);
      if (known) this.say({ k: "message", to: tab, message: known });
    }
    this.join();
  }

  /** @param {string} tab */
  bye(tab) {
    this.wants.delete(tab);
    this.join();
  }

  /** What all tabs together want; told to the service once for all that changes now. */
  join() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const union = [...new Set([...this.wants.values()].flatMap((each) => each.topics))].slice(0, 64);
      for (const topic of this.known.keys()) if (!union.includes(topic)) this.known.delete(topic);
      this.source.want(union);
    }, 20);
  }

  forget() {
    const before = Date.now() - FORGOTTEN;
    for (const [tab, want] of this.wants) if (want.at < before && tab !== me) this.bye(tab);
  }

  stop() {
    clearInterval(this.tidy);
    this.source.stop();
  }
}

export class Link {
  /** @param {Tab} tab */
  constructor(tab) {
    this.tab = tab;
    /** @type {string[]} */ this.topics = [];
    /** @type {Leader|null} */ this.leader = null;
    this.heard = Date.now();
    this.channel = new BroadcastChannel(NAME);
    this.channel.onmessage = (event) => this.hear(event.data);
    if (navigator.locks) navigator.locks.request(NAME, () => new Promise(() => this.lead()));
    else setInterval(() => this.elect(), 1000 + Math.random() * 500);
    if (!navigator.locks) this.elect(true);
    setInterval(() => this.ask([]), SAID);
    addEventListener("pagehide", () => this.say({ k: "bye", tab: me }));
    addEventListener("pageshow", (event) => { if (event.persisted) this.ask(this.topics); });
  }

  /**
   * Listen to these topics from now on.
   * @param {string[]} topics
   */
  want(topics) {
    const fresh = topics.filter((each) => !this.topics.includes(each));
    this.topics = topics;
    this.ask(fresh);
  }

  /** @param {string[]} fresh topics that this tab knows nothing of yet */
  ask(fresh) {
    this.say({ k: "want", tab: me, topics: this.topics, fresh });
  }

  /** @param {any} word */
  say(word) {
    if (word.to === undefined || word.to !== me) this.channel.postMessage(word);
    if (this.leader || word.to === me) this.hear(word);
  }

  /** @param {any} word */
  hear(word) {
    if (word.to !== undefined && word.to !== me) return;
    const leader = this.leader;
    switch (word.k) {
      case "want": leader?.want(word.tab, word.topics, word.fresh); break;
      case "bye": leader?.bye(word.tab); break;
      case "who": if (leader) this.channel.postMessage({ k: "lead", tab: me }); break;
      case "lead": this.followed(word.tab); break;
      case "message": this.heard = Date.now(); this.tab.told(word.message); break;
      case "status": this.heard = Date.now(); this.tab.changed(word.status); break;
    }
  }

  /** This tab leads from now on. */
  lead() {
    if (this.leader) return;
    this.leader = new Leader((word) => this.say(word));
    this.channel.postMessage({ k: "lead", tab: me });
    // Every tab begins anew with this leader: what it has may be older than what the new stream goes on from.
    this.ask(this.topics);
  }

  /**
   * Another tab says that it leads.
   * @param {string} tab
   */
  followed(tab) {
    this.heard = Date.now();
    if (this.leader && tab !== me) {
      // Two lead, which can only be where there are no locks: the one with the smaller name stays.
      if (me < tab) return void this.channel.postMessage({ k: "lead", tab: me });
      this.leader.stop();
      this.leader = null;
    }
    this.ask(this.topics);
  }

  /**
   * Without locks: whoever hears of no leader asks for one, and leads when nobody answers.
   * @param {boolean} [now]
   */
  elect(now = false) {
    if (this.leader || (!now && Date.now() - this.heard < QUIET)) return;
    const asked = Date.now();
    this.heard = now ? 0 : this.heard;
    this.channel.postMessage({ k: "who" });
    setTimeout(() => { if (!this.leader && this.heard < asked) this.lead(); }, ANSWER + Math.random() * ANSWER);
  }
}
