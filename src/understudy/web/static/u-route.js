// One route, kept live: who serves, each API's share, breaker and countdown. A change of order draws the page anew.
// @ts-check

import { live } from "./live.js";
import { latency, number, percent } from "./units.js";
import { make } from "./words.js";

/** @typedef {{api: string, role: string, gate: string, detail: string, state: string, breaker: string, left: number|null, share: number|null, reliability: number, latency: number, in_flight: number}} Candidate */

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

  /** @param {{lead: string, per_second: number, pin: object|null, candidates: Candidate[]}} route */
  take(route) {
    const cards = this.cards();
    for (const each of route.candidates) {
      const card = cards.get(each.api);
      if (card) this.fill(card, each);
    }
    const list = this.querySelector(".flow");
    const order = route.candidates.flatMap((each) => cards.get(each.api) ?? []);
    // Whoever has a menu open, or stands on a card with the keyboard, keeps it where it is.
    const busy = list?.querySelector("details[open]") ?? (list?.contains(document.activeElement) ? list : null);
    if (list && !busy && order.some((each, place) => list.children[place] !== each)) list.append(...order);
    text(this.querySelector("[data-field='per_second']"), number(route.per_second, 2));
    const said = this.querySelector("[data-field='sentence']");
    if (this.lead !== undefined && this.lead !== route.lead) {
      text(said, route.lead ? this.word("serves", { api: route.lead }) : this.word("nobody"));
    }
    /** @type {string | undefined} */
    this.lead = route.lead;
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
    const gate = each.gate ? `: ${this.word(`gate.${each.gate}`)}${each.detail ? ` (${each.detail})` : ""}` : "";
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
 * @param {Element | null} place
 * @param {string} said
 */
function text(place, said) {
  if (place && place.textContent !== said) place.textContent = said;
}

customElements.define("u-route", URoute);
