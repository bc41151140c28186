// <u-alerts>: the list of what fires, kept fresh, and done by keyboard: x picks the row that j and k led to,
// e acknowledges, s silences.
// @ts-check

import { live } from "./live.js";

/**
 * @typedef {{fingerprint: string, href: string, group: string, state: string, word: string, rule: string,
 *   about: string, value: string, compared: string, touched: string, since: number | null, age: string,
 *   handled: string, acknowledged: boolean, firing: boolean, silence: string}} Row
 */

/** Between two refreshes that nothing asked for, and the least between any two, ms. */
const EVERY = 10_000, LEAST = 1_000;

class Alerts extends HTMLElement {
  connectedCallback() {
    this.pattern = /** @type {HTMLTemplateElement | null} */ (this.querySelector("template[data-part='pattern']"));
    this.all = /** @type {HTMLInputElement | null} */ (this.querySelector("[data-part='all']"));
    this.asked = 0;
    this.waiting = 0;
    if (this.all) {
      this.all.hidden = false;
      this.all.addEventListener("change", () => this.pickAll());
    }
    this.keys = (/** @type {KeyboardEvent} */ event) => this.pressed(event);
    document.addEventListener("keydown", this.keys);
    this.stop = live.on("alerts", (_data, { initial }) => { if (!initial) this.soon(); });
    this.timer = setInterval(() => { if (!document.hidden) this.soon(); }, EVERY);
  }

  disconnectedCallback() {
    if (this.keys) document.removeEventListener("keydown", this.keys);
    clearInterval(this.timer);
    clearTimeout(this.waiting);
    this.stop?.();
  }

  /** Ask for the rows, at most once a second. */
  soon() {
    if (this.waiting || live.state === "paused") return;
    const rest = Math.max(0, (this.asked ?? 0) + LEAST - performance.now());
    this.waiting = setTimeout(() => { this.waiting = 0; void this.refresh(); }, rest);
  }

  async refresh() {
    this.asked = performance.now();
    const trouble = this.piece(this, "trouble");
    try {
      const answer = await fetch(this.dataset.rows ?? "", { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      this.show((await answer.json()).rows);
      if (trouble) trouble.hidden = true;
    } catch {
      if (!trouble) return;
      trouble.textContent = this.dataset.failed ?? "";
      trouble.hidden = false;
    }
  }

  /** @param {Row[]} rows */
  show(rows) {
    const known = new Map(this.rows().map((row) => [row.dataset.alert, row]));
    const groups = new Map(this.groups().map((group) => [group.dataset.group, group]));
    const last = new Map(this.groups().map((group) => [group.dataset.group, group.rows[0]]));
    for (const each of rows) {
      const group = groups.get(each.group);
      const row = known.get(each.fingerprint) ?? this.made();
      if (!group || !row) continue;
      known.delete(each.fingerprint);
      this.fill(row, each);
      const before = last.get(each.group);
      if (before && before.nextElementSibling !== row) before.after(row);
      last.set(each.group, row);
    }
    for (const gone of known.values()) gone.remove();
    for (const group of groups.values()) {
      const count = group.rows.length - 1;
      group.hidden = count === 0;
      const told = this.piece(group, "count");
      if (told) told.textContent = String(count);
    }
    const none = this.piece(this, "none"), list = this.piece(this, "list");
    if (none) none.hidden = rows.length > 0;
    if (list) list.hidden = rows.length === 0;
  }

  made() {
    const row = this.pattern?.content.querySelector("tr")?.cloneNode(true);
    return /** @type {HTMLTableRowElement | undefined} */ (row);
  }

  /**
   * @param {HTMLTableRowElement} row
   * @param {Row} each
   */
  fill(row, each) {
    row.dataset.alert = each.fingerprint;
    for (const name of ["about", "value", "compared", "touched", "age", "handled", "rule"]) {
      const part = this.piece(row, name);
      const text = String(each[/** @type {keyof Row} */ (name)] ?? "");
      if (part && part.textContent !== text) part.textContent = text;
    }
    const link = this.piece(row, "rule");
    if (each.href) link?.setAttribute("href", each.href);
    else link?.removeAttribute("href");
    const state = row.querySelector(".state");
    if (state) {
      state.setAttribute("data-state", each.state);
      const word = state.lastChild;
      if (word && word.textContent !== each.word) word.textContent = each.word;
    }
    const pick = /** @type {HTMLInputElement | null} */ (this.piece(row, "pick"));
    if (pick) {
      pick.name = `pick.${each.fingerprint}`;
      pick.setAttribute("aria-label", `${each.rule} ${each.about}`);
    }
    this.button(row, "acknowledge", each.fingerprint, each.firing && !each.acknowledged);
    this.button(row, "unacknowledge", each.fingerprint, each.acknowledged);
    this.piece(row, "silence")?.setAttribute("href", each.silence);
  }

  /**
   * @param {Element} row
   * @param {string} name
   * @param {string} value
   * @param {boolean} shown
   */
  button(row, name, value, shown) {
    const button = /** @type {HTMLButtonElement | null} */ (this.piece(row, name));
    if (!button) return;
    button.value = value;
    button.hidden = !shown;
  }

  /**
   * What a key does to the picked alerts, or to the one whose row has the focus.
   * @param {KeyboardEvent} event
   */
  pressed(event) {
    const where = /** @type {HTMLElement} */ (event.target);
    const typing = where.closest("input:not([type=checkbox]), textarea, select, dialog");
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing) return;
    const row = this.rows().find((each) => each.contains(document.activeElement));
    const pick = row && /** @type {HTMLInputElement | null} */ (this.piece(row, "pick"));
    if (event.key === "x" && pick) pick.checked = !pick.checked;
    else if (event.key === "e" && this.picked()) this.bulk("acknowledge");
    else if (event.key === "s" && this.picked()) this.bulk("silence");
    else if (event.key === "e" && row) this.piece(row, "acknowledge")?.click();
    else if (event.key === "s" && row) this.piece(row, "silence")?.click();
    else return;
    event.preventDefault();
  }

  /** @param {string} action */
  bulk(action) {
    /** @type {HTMLButtonElement | null} */ (this.querySelector(`button[name="action"][value="${action}"]`))?.click();
  }

  picked() {
    return this.querySelectorAll("tbody [data-part='pick']:checked").length;
  }

  pickAll() {
    for (const each of this.querySelectorAll("tbody [data-part='pick']")) {
      /** @type {HTMLInputElement} */ (each).checked = this.all?.checked ?? false;
    }
  }

  /** @returns {HTMLTableSectionElement[]} */
  groups() {
    return [...this.querySelectorAll("tbody[data-group]")].map((each) => /** @type {HTMLTableSectionElement} */ (each));
  }

  /** @returns {HTMLTableRowElement[]} */
  rows() {
    return [...this.querySelectorAll("tbody[data-group] tr[data-alert]")].map((each) => /** @type {HTMLTableRowElement} */ (each));
  }

  /**
   * @param {Element} within
   * @param {string} name
   */
  piece(within, name) {
    return /** @type {HTMLElement | null} */ (within.querySelector(`[data-part="${name}"]`));
  }
}

customElements.define("u-alerts", Alerts);
