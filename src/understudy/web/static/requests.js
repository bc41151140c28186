// The request log while it is open: <u-tail> adds calls as they end, and commands can be copied.
// @ts-check

import { live } from "./live.js";
import { latency, when } from "./units.js";

/**
 * @typedef {{at: number, call_id: string, route: string, api: string, outcome: string, latency: number,
 *   attempts: number, status: number | null, endpoint: string, error: string}} Entry
 */

/** Lines that stay on the page, and lines that wait while the reader looks at older ones. */
const SHOWN = 500, WAITING = 500;
/** What ended before the tail began is in the store by then, ms; clocks and writing may be this much apart, s. */
const WRITTEN = 2000, APART = 5;

class Tail extends HTMLElement {
  connectedCallback() {
    const words = this.querySelector("script[type='application/json']");
    this.words = JSON.parse(words?.textContent ?? "{}");
    /** @type {HTMLButtonElement|null} */ this.button = this.querySelector("[data-part='tail']");
    /** @type {HTMLButtonElement|null} */ this.fresh = this.querySelector("[data-part='new']");
    this.rows = this.querySelector("tbody");
    this.template = this.querySelector("template");
    /** When the tail was turned on, epoch seconds. */ this.since = 0;
    /** @type {(Entry | number)[]} Lines that wait, the oldest first. */ this.waiting = [];
    if (!this.button || this.hasAttribute("data-off")) return;
    this.button.hidden = false;
    this.button.addEventListener("click", () => this.turn(!this.end));
    this.fresh?.addEventListener("click", () => { scrollTo({ top: 0 }); this.show(true); });
    this.moved = () => { if (!this.held()) this.show(); };
    addEventListener("scroll", this.moved, { passive: true });
    this.rows?.addEventListener("pointerleave", this.moved);
    this.rows?.addEventListener("focusout", () => setTimeout(this.moved ?? (() => {})));
    if (new URLSearchParams(location.search).get("tail") === "yes") this.turn(true);
  }

  disconnectedCallback() {
    this.end?.();
    if (this.moved) removeEventListener("scroll", this.moved);
  }

  /** @param {boolean} on */
  turn(on) {
    const { button } = this;
    if (!button) return;
    button.setAttribute("aria-pressed", String(on));
    const label = button.querySelector("span");
    if (label) label.textContent = this.words[on ? "on" : "off"];
    const address = new URL(location.href);
    if (on) address.searchParams.set("tail", "yes");
    else address.searchParams.delete("tail");
    history.replaceState(null, "", address);
    if (on) {
      this.since = Date.now() / 1000;
      this.end = live.on(this.dataset.topic ?? "requests:", (entries, { initial, skipped }) => {
        if (initial) setTimeout(() => this.catchUp(), WRITTEN);
        this.take(entries, skipped);
      });
    } else {
      this.end?.();
      this.end = undefined;
      this.show(true);
    }
  }

  /** Add the calls that ended after the page was made and before it listened, or while it was cut off. */
  async catchUp() {
    const { rows, end, since = 0 } = this;
    if (!rows || !end) return;
    const times = [...rows.querySelectorAll("time")].map((each) => Date.parse(each.dateTime) / 1000);
    const from = Math.max(...times.filter((each) => each < since), 0) - APART;
    const query = (this.dataset.topic ?? "").slice("requests:".length);
    const answer = await fetch(`/api/requests?limit=${SHOWN}&q=${encodeURIComponent(query)}`);
    if (!answer.ok || end !== this.end) return;
    /** @type {Entry[]} */ const kept = (await answer.json()).requests;
    const known = new Set([...rows.rows].map((each) => each.dataset.call));
    for (const each of this.waiting ?? []) if (typeof each !== "number") known.add(each.call_id);
    const missed = kept.filter((each) => each.at > from && each.at <= Date.now() / 1000 && !known.has(each.call_id));
    for (const each of missed) {
      const below = [...rows.rows].find((row) => Date.parse(row.querySelector("time")?.dateTime ?? "") / 1000 <= each.at);
      rows.insertBefore(this.line(each), below ?? null);
    }
    if (missed.length) this.querySelector("[data-part='none']")?.remove();
  }

  /** Whether new lines would move what the reader looks at. */
  held() {
    const { rows } = this;
    if (!rows) return false;
    const top = this.getBoundingClientRect().top;
    return (top < 0 && scrollY > 0) || rows.matches(":hover") || rows.contains(document.activeElement);
  }

  /** @param {Entry[]} entries @param {number} skipped */
  take(entries, skipped) {
    const { waiting } = this;
    if (!waiting) return;
    waiting.push(...entries);
    if (skipped) waiting.push(skipped);
    const over = waiting.length - WAITING;
    if (over > 0) {
      const lost = waiting.splice(0, over + 1).reduce((/** @type {number} */ sum, each) => sum + (typeof each === "number" ? each : 1), 0);
      waiting.unshift(lost);
    }
    this.show(!this.held());
  }

  /**
   * Put what waits on the page, or say how much it is.
   * @param {boolean} [now]
   */
  show(now = !this.held()) {
    const { rows, fresh, waiting } = this;
    if (!rows || !fresh || !waiting) return;
    if (now && waiting.length) {
      const made = waiting.splice(0).map((each) => typeof each === "number" ? this.gap(each) : this.line(each)).reverse();
      rows.prepend(...made);
      while (rows.rows.length > SHOWN) rows.rows[rows.rows.length - 1].remove();
      this.querySelector("[data-part='none']")?.remove();
    }
    const count = waiting.reduce((/** @type {number} */ sum, each) => sum + (typeof each === "number" ? each : 1), 0);
    fresh.hidden = count === 0;
    fresh.textContent = (this.words.new ?? "").replace("{count}", String(count));
  }

  /** @param {Entry} entry @returns {Element} */
  line(entry) {
    const row = /** @type {HTMLTableRowElement} */ (this.template?.content.querySelector("tr")?.cloneNode(true));
    const [time, outcome, route, api, took, attempts, status, error] = row.cells;
    row.dataset.call = entry.call_id;
    const link = time.querySelector("a"), shown = time.querySelector("time");
    if (link) link.href = `/requests/${encodeURIComponent(entry.call_id)}`;
    if (shown) { shown.dateTime = new Date(entry.at * 1000).toISOString(); shown.textContent = when(entry.at); }
    const state = /** @type {HTMLElement|null} */ (outcome.querySelector(".state"));
    if (state) {
      state.dataset.state = this.words.marks[entry.outcome] ?? "unknown";
      state.replaceChildren(...state.querySelectorAll(".shape"), this.words.outcomes[entry.outcome] ?? entry.outcome);
    }
    route.textContent = entry.route;
    api.textContent = entry.api || "–";
    took.textContent = latency(entry.latency);
    attempts.textContent = String(entry.attempts);
    status.textContent = entry.status == null ? "–" : String(entry.status);
    error.textContent = this.error(entry.error) || entry.endpoint;
    return row;
  }

  /**
   * An error; the code of a gate that it may begin with becomes words.
   * @param {string} text
   */
  error(text) {
    const code = text.split(" ", 1)[0], known = Object.hasOwn(this.words.gates, code) ? this.words.gates[code] : "";
    if (!known) return text;
    return text.length > code.length ? `${known}:${text.slice(code.length)}` : known;
  }

  /**
   * A line that says how many were left out.
   * @param {number} count
   * @returns {Element}
   */
  gap(count) {
    const row = document.createElement("tr");
    row.className = "skipped";
    const cell = row.insertCell();
    cell.colSpan = 8;
    cell.textContent = (this.words.skipped ?? "").replace("{count}", String(count));
    return row;
  }
}

customElements.define("u-tail", Tail);

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-copy]"))) {
  if (!navigator.clipboard) break; // plain HTTP off this machine has none: the text can be selected
  button.hidden = false;
  const label = button.querySelector("span"), word = label?.textContent ?? "";
  const heard = button.nextElementSibling;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement?.querySelector("code")?.textContent ?? "");
    for (const each of [label, heard]) if (each) each.textContent = button.dataset.copied ?? "";
    setTimeout(() => { if (label) label.textContent = word; if (heard) heard.textContent = ""; }, 2000);
  });
}
