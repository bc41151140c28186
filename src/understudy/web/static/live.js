// What pages know of the service while they are open. `live.on("overview", (data, {at, initial}) => …)`.
// @ts-check

import { Link } from "./live-link.js";

/**
 * `data` of `rows:` is what changed by name (null: gone), of `series:` one point, of `events` and `requests:` the new
 * items, of everything else all there is by key.
 * @typedef {{at: number, initial: boolean, changed: string[], skipped: number}} About
 * @typedef {(data: any, about: About) => void} Handler
 * @typedef {{state: "off"|"live"|"polling"|"paused"|"reconnecting"|"stale"|"ended", since?: number, next?: number}} State
 */

/** Items that are kept for a page that is hidden or paused. */
const HELD = 600;
/** What is shown is called stale when nothing was heard for this long, ms. */
const STALE = 6000;

class Topic {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    /** @type {Set<Handler>} */ this.handlers = new Set();
    /** @type {Record<string, any>} */ this.values = {};
    /** @type {Set<string>} Keys that changed while nothing was shown. */ this.changed = new Set();
    /** @type {any[]} */ this.items = [];
    this.skipped = 0;
    this.at = 0;
    this.known = false;
    /** Whether what is to be shown is told to somebody who has nothing yet. */
    this.anew = false;
  }

  /**
   * Take a message in.
   * @param {import("./live-source.js").Message} message
   */
  take(message) {
    this.at = message.at;
    this.anew ||= message.i === 1;
    if (message.d) {
      if (message.i) {
        for (const key of Object.keys(this.values)) if (!(key in message.d)) this.changed.add(key);
        this.values = {};
      }
      Object.assign(this.values, message.d);
      for (const key of Object.keys(message.d)) this.changed.add(key);
      for (const key of message.r ?? []) { delete this.values[key]; this.changed.add(key); }
      this.known = true;
    }
    if (message.f) {
      if (message.i) this.items = []; // what waits is among what comes
      this.items.push(...message.f);
      this.skipped += message.s ?? 0;
      const over = this.items.length - HELD;
      if (over > 0) { this.items.splice(0, over); this.skipped += over; }
    }
  }

  /** Show what was taken in. */
  show() {
    const { at, anew, skipped, items } = this;
    this.anew = false;
    if (this.known && (this.changed.size || anew)) {
      const changed = [...this.changed];
      this.changed.clear();
      const rows = this.name.startsWith("rows:");
      const data = rows ? Object.fromEntries(changed.map((key) => [key, this.values[key] ?? null])) : this.values;
      this.call(data, { at, initial: anew, changed, skipped: 0 });
    }
    if (!this.known && (items.length || skipped || anew)) {
      this.items = [];
      this.skipped = 0;
      if (this.name.startsWith("series:")) for (const each of items) this.call(each, { at, initial: anew, changed: [], skipped });
      else this.call(items, { at, initial: anew, changed: [], skipped });
    }
  }

  /** @param {any} data @param {About} about */
  call(data, about) {
    for (const handler of this.handlers) one(handler, data, about);
  }
}

/**
 * One handler's fault must not end the others.
 * @param {Handler} handler
 * @param {any} data
 * @param {About} about
 */
function one(handler, data, about) {
  try {
    handler(data, about);
  } catch (error) {
    reportError(error);
  }
}

/** @type {Map<string, Topic>} */ const topics = new Map();
/** @type {Set<(state: State) => void>} */ const watchers = new Set();
/** @type {import("./live-source.js").Status} */ let status = { state: "connecting" };
/** @type {Link|null} */ let link = null;
let heard = 0, paused = false, joining = 0, told = "";

const held = () => paused || document.hidden;

/** @returns {State} */
function state() {
  if (!link) return { state: "off" };
  if (status.state === "ended") return { state: "ended", since: heard };
  if (paused) return { state: "paused", since: heard };
  if (heard && Date.now() - heard > STALE) return { state: "stale", since: heard, next: status.next };
  if (status.state === "waiting") return { state: "reconnecting", next: status.next };
  if (status.state === "polling") return { state: "polling" };
  return heard || status.state === "live" ? { state: "live" } : { state: "reconnecting" };
}

function changed() {
  const now = state();
  // While it counts down or ages it is told each second, otherwise only when it changes.
  const text = JSON.stringify(now) + (now.since || now.next ? Math.floor(Date.now() / 1000) : "");
  if (text === told) return;
  told = text;
  for (const each of watchers) each(now);
}

function showAll() {
  if (held()) return;
  for (const topic of topics.values()) topic.show();
}

function start() {
  link = new Link({
    told(message) {
      heard = Date.now();
      const topic = message.t === undefined ? undefined : topics.get(message.t);
      if (topic) {
        topic.take(message);
        if (!held()) topic.show();
      }
      changed();
    },
    changed(now) { status = now; changed(); },
  });
  document.addEventListener("visibilitychange", showAll);
  setInterval(changed, 1000);
}

/** Tell the link what is wanted, once for everything that is asked for now. */
function join() {
  if (!link) start();
  if (joining) return;
  joining = setTimeout(() => {
    joining = 0;
    link?.want([...topics.keys()]);
  });
}

export const live = {
  /**
   * Call `handler` with what is told of a topic, at once with what is known already; returns what ends that.
   * @param {string} name
   * @param {Handler} handler
   */
  on(name, handler) {
    let topic = topics.get(name);
    if (!topic) {
      topic = new Topic(name);
      topics.set(name, topic);
      join();
    } else if (topic.known) {
      const { values, at } = topic;
      one(handler, { ...values }, { at, initial: true, changed: Object.keys(values), skipped: 0 });
    }
    const mine = topic;
    mine.handlers.add(handler);
    return () => {
      mine.handlers.delete(handler);
      if (mine.handlers.size || topics.get(name) !== mine) return;
      topics.delete(name);
      join();
    };
  },

  /**
   * The topic of these APIs' rows.
   * @param {string[]} names
   */
  rows(names) {
    return `rows:${names.map(encodeURIComponent).join(",")}`;
  },

  /** Show nothing new until `resume`; nothing is lost. */
  pause() { paused = true; changed(); },

  resume() { paused = false; showAll(); changed(); },

  /** In one word; `watch` tells more. */
  get state() { return state().state; },

  /**
   * Call `watcher` whenever the state changes, and each second while it counts.
   * @param {(state: State) => void} watcher
   */
  watch(watcher) {
    watchers.add(watcher);
    watcher(state());
    return () => watchers.delete(watcher);
  },
};
