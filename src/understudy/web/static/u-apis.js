// The list of APIs, kept live: numbers of the rows on the page change in place; views are kept under names.
// @ts-check

import { live } from "./live.js";
import { latency, number, percent } from "./units.js";
import { make, word } from "./words.js";

/**
 * How each live field is written.
 * @type {Record<string, (value: any) => string>}
 */
const WRITTEN = {
  success_rate: percent,
  p50: latency,
  p95: latency,
  p99: latency,
  per_second: (value) => number(value, 2),
  last_error: (value) => value ?? "",
};

class UApis extends HTMLElement {
  connectedCallback() {
    /**
     * Rows by API: with several tags it stands in several groups.
     * @type {Map<string, HTMLElement[]>}
     */
    this.rows = new Map();
    const names = new Set();
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll("tr[data-api]"))) {
      const name = row.dataset.api ?? "";
      this.rows.set(name, [...(this.rows.get(name) ?? []), row]);
      names.add(row.dataset.topic ?? "");
    }
    if (names.size) this.end = live.on(`rows:${[...names].join(",")}`, (data) => this.take(data));
    this.pick();
  }

  disconnectedCallback() {
    this.end?.();
  }

  /** @param {Record<string, Record<string, any>>} data */
  take(data) {
    for (const [name, values] of Object.entries(data)) {
      for (const row of this.rows?.get(name) ?? []) fill(row, values);
    }
  }

  /** The box above the list ticks all boxes of it. */
  pick() {
    const form = this.closest("form");
    const all = /** @type {HTMLInputElement | null} */ (form?.querySelector("[data-part='all']"));
    if (!all) return;
    all.hidden = false;
    const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (this.querySelectorAll("[data-part='pick']"));
    all.addEventListener("change", () => {
      for (const box of boxes) box.checked = all.checked;
    });
    form?.addEventListener("change", () => {
      const picked = [...boxes].filter((box) => box.checked).length;
      all.checked = picked === boxes.length;
      all.indeterminate = picked > 0 && picked < boxes.length;
    });
  }
}

/**
 * Write what has changed about one API into its row, or into any part of a page that has its fields.
 * @param {ParentNode} place
 * @param {Record<string, any>} values
 */
export function fill(place, values) {
  for (const cell of /** @type {NodeListOf<HTMLElement>} */ (place.querySelectorAll("[data-field]"))) {
    const field = cell.dataset.field ?? "";
    if (!(field in values)) continue;
    if (field === "state") {
      const shown = cell.querySelector(".state");
      if (shown instanceof HTMLElement && shown.dataset.state !== values.state) {
        shown.dataset.state = values.state;
        const shape = make("span", { class: "shape", "aria-hidden": "true" });
        shown.replaceChildren(shape, word(`state.${values.state}`));
      }
    } else {
      const text = WRITTEN[field]?.(values[field]);
      if (text !== undefined && cell.textContent !== text) cell.textContent = text;
    }
  }
}

/** Views of the list that this browser keeps: a name, and the query of the address. */
const KEPT = "understudy.views.apis";

class UViews extends HTMLElement {
  connectedCallback() {
    const panel = this.querySelector(".panel");
    if (!(panel instanceof HTMLElement)) return;
    this.panel = panel;
    this.hidden = false;
    this.show();
  }

  /** @returns {Record<string, string>} */
  kept() {
    try {
      const found = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
      return Object.fromEntries(Object.entries(found).filter(([, query]) => typeof query === "string"));
    } catch {
      return {};
    }
  }

  /** @param {Record<string, string>} views */
  keep(views) {
    try {
      localStorage.setItem(KEPT, JSON.stringify(views));
    } catch {
      // A browser that keeps nothing still has the address.
    }
    this.show();
  }

  show() {
    const views = this.kept();
    const list = make("ul", { class: "views-list" });
    for (const name of Object.keys(views).sort()) {
      const forget = make("button", { type: "button", class: "quiet" }, "✕");
      forget.setAttribute("aria-label", (this.dataset.forget ?? "").replace("{name}", name));
      forget.addEventListener("click", () => {
        const { [name]: _, ...rest } = this.kept();
        this.keep(rest);
      });
      list.append(make("li", {}, make("a", { href: `/apis${safe(views[name])}` }, name), forget));
    }
    const field = make("input", { name: "view", required: "", maxlength: "60", "aria-label": this.dataset.name ?? "", placeholder: this.dataset.name ?? "" });
    const form = make("form", { class: "views-form" }, field, make("button", {}, this.dataset.save ?? ""));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = /** @type {HTMLInputElement} */ (field).value.trim();
      if (name) this.keep({ ...this.kept(), [name]: location.search });
    });
    const about = make("p", { class: "note" }, this.dataset.none ?? "");
    this.panel?.replaceChildren(...(list.childElementCount ? [list] : [about]), form);
  }
}

/**
 * Only a query may stand there, whatever was kept.
 * @param {string} query
 */
function safe(query) {
  return query.startsWith("?") ? query : "";
}

customElements.define("u-apis", UApis);
customElements.define("u-views", UViews);
