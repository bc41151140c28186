// One route, kept live: who serves, each API's share, breaker and countdown, and what somebody said of it meanwhile.
// @ts-check

import { live } from "./live.js";
import { localTimes } from "./times.js";
import { latency, number, percent } from "./units.js";
import { make } from "./words.js";

/** @typedef {{api: string, role: string, gate: string, detail: string, state: string, breaker: string, left: number|null, share: number|null, reliability: number, latency: number, in_flight: number, cost: number|null, terms: Record<string, number>, held: string, pinned: boolean, drain: {actor: string, reason: string}|null, forced: object|null}} Candidate */
/** @typedef {{lead: string, per_second: number, pin: {until: number|null}|null, candidates: Candidate[]}} Route */

/** Gates of which the lines below say more: the countdown, who holds it, who drained it. */
const SAID_BELOW = ["breaker_open", "forced_open", "drained"];

class URoute extends HTMLElement {
  connectedCallback() {
    const found = this.querySelector("script.route-words");
    /** @type {Record<string, string>} */
    this.words = JSON.parse(found?.textContent ?? "{}");
    /**
     * When each countdown ends, ms.
     * @type {Map<string, number>}
     */
    this.ends = new Map();
    // What people said and who serves, as the page shows it.
    /** @type {string} */
    this.shown = "";
    const name = this.dataset.route ?? "";
    this.end = live.on("routes", (data) => {
      if (data[name]) this.take(data[name]);
    });
    this.timer = setInterval(() => this.count(), 1000);
  }

  disconnectedCallback() {
    this.end?.();
    clearInterval(this.timer);
  }

  /** @param {Route} route */
  take(route) {
    const cards = this.cards();
    for (const each of route.candidates) {
      const card = cards.get(each.api);
      if (card) { this.fill(card, each); this.said(card, each); }
      this.costs(each);
    }
    const list = this.querySelector(".flow");
    const order = route.candidates.flatMap((each) => cards.get(each.api) ?? []);
    // Whoever has a menu open, or stands on a card with the keyboard, keeps it where it is.
    const busy = list?.querySelector("details[open]") ?? (list?.contains(document.activeElement) ? list : null);
    if (list && !busy && order.some((each, place) => list.children[place] !== each)) list.append(...order);
    text(this.querySelector("[data-field='per_second']"), number(route.per_second, 2));
    this.pin(route.pin);
    const now = JSON.stringify([route.lead, route.pin, route.candidates.map((each) => [each.api, each.role, each.gate, each.breaker, each.drain, each.forced])]);
    if (this.shown && this.shown !== now) this.tell();
    this.shown = now;
  }

  /**
   * The pin, and when it ends; its words come from the service.
   * @param {Route["pin"]} pin
   */
  pin(pin) {
    const place = this.querySelector("[data-part='pin']");
    if (!(place instanceof HTMLElement)) return;
    place.hidden = !pin;
    const until = place.querySelector("[data-field='pin-until']");
    if (!until || until.getAttribute("data-until") === String(pin?.until ?? "")) return;
    until.setAttribute("data-until", String(pin?.until ?? ""));
    until.replaceChildren(...(pin?.until ? [` ${this.word("ends")} `, moment(pin.until), "."] : []));
    localTimes(place);
  }

  /** Ask in words what has changed: who serves now and why, the pin, the switches. */
  async tell() {
    const answer = await fetch(`/routes/${encodeURIComponent(this.dataset.route ?? "")}/now`).catch(() => null);
    if (!answer?.ok) return; // the badge above says that the connection is away; the next change asks again
    /** @type {{sentence: string, pin: string, switches: {at: number, text: string}[]}} */
    const now = await answer.json();
    text(this.querySelector("[data-field='sentence']"), now.sentence);
    text(this.querySelector("[data-field='pin']"), now.pin);
    const list = document.querySelector(".switches");
    if (!(list instanceof HTMLElement)) return;
    list.replaceChildren(...now.switches.map((each) => make("li", {}, moment(each.at), " ", make("span", {}, each.text))));
    list.hidden = now.switches.length === 0;
    document.getElementById("no-switches")?.toggleAttribute("hidden", !list.hidden);
    localTimes(list);
  }

  /**
   * What somebody said of an API, and what can be said of it now.
   * @param {HTMLElement} card
   * @param {Candidate} each
   */
  said(card, each) {
    const there = {
      pinned: each.pinned, unpinned: !each.pinned, drain: !each.drain, undrain: !!each.drain, forced_open: !each.held,
      unforce: !!each.held,
    };
    for (const [key, holds] of Object.entries(there)) {
      card.querySelector(`[data-when='${key}']`)?.toggleAttribute("hidden", !holds);
    }
    const empty = each.in_flight ? "" : ` ${this.word("empty")}`;
    const notes = {
      held: each.held && this.word("held", { reason: each.held }),
      drain: each.drain ? this.word("drained", each.drain) + empty : "",
    };
    for (const [field, said] of Object.entries(notes)) {
      const place = card.querySelector(`[data-field='${field}']`);
      place?.toggleAttribute("hidden", !said);
      text(place, said);
    }
  }

  /**
   * Why it is where it is: what a call is expected to cost on it.
   * @param {Candidate} each
   */
  costs(each) {
    const row = this.querySelector(`[data-cost-of="${CSS.escape(each.api)}"]`);
    for (const cell of row?.querySelectorAll("[data-term]") ?? []) {
      const key = cell.getAttribute("data-term") ?? "";
      if (each.cost === null) text(cell, key ? number(null) : this.word(`gate.${each.gate}`));
      else text(cell, number(key ? each.terms[key] ?? 0 : each.cost));
    }
  }

  /** @returns {Map<string, HTMLElement>} */
  cards() {
    const found = new Map();
    for (const each of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll(".flow > li"))) {
      found.set(each.dataset.api ?? "", each);
    }
    return found;
  }

  /**
   * @param {HTMLElement} card
   * @param {Candidate} each
   */
  fill(card, each) {
    card.dataset.role = each.role;
    const gate = each.gate ? `: ${this.word(`gate.${each.gate}`)}${each.detail && !SAID_BELOW.includes(each.gate) ? ` (${each.detail})` : ""}` : "";
    const written = {
      role: this.word(`role.${each.role}`),
      gate: gate || (each.detail ? `: ${each.detail}` : ""),
      share: percent(each.share, 0),
      breaker: this.word(`breaker.${each.breaker}`),
      reliability: percent(each.reliability * 100),
      latency: latency(each.latency),
      in_flight: String(each.in_flight),
    };
    for (const [field, value] of Object.entries(written)) text(card.querySelector(`[data-field='${field}']`), value);
    const state = card.querySelector("[data-field='state'] > .state");
    if (state instanceof HTMLElement && state.dataset.state !== each.state) {
      state.dataset.state = each.state;
      state.replaceChildren(make("span", { class: "shape", "aria-hidden": "true" }), this.word(`state.${each.state}`));
    }
    if (each.left === null) this.ends?.delete(each.api);
    else this.ends?.set(each.api, Date.now() + each.left * 1000);
    this.count();
  }

  /** Write what is left of each wait. */
  count() {
    for (const [name, card] of this.cards()) {
      const until = this.ends?.get(name);
      const seconds = until === undefined ? 0 : Math.max(0, Math.ceil((until - Date.now()) / 1000));
      text(card.querySelector("[data-field='left']"), seconds ? this.word("left", { seconds }) : "");
    }
  }

  /**
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   */
  word(key, values = {}) {
    const said = this.words?.[key] ?? key.slice(key.indexOf(".") + 1);
    return said.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
  }
}

/**
 * A time, as the page writes it once `localTimes` has been there.
 * @param {number} at epoch seconds
 */
function moment(at) {
  return make("time", { datetime: new Date(at * 1000).toISOString(), "data-at": String(at) });
}

/**
 * @param {Element | null | undefined} place
 * @param {string} said
 */
function text(place, said) {
  if (place && place.textContent !== said) place.textContent = said;
}

customElements.define("u-route", URoute);
