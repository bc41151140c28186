// The APIs that are kept for a comparison, on every page until they are compared or let go.
// @ts-check

import { icon, make, word } from "./words.js";

const KEPT = "us-compare";
/** As many as the comparison takes. */
const MOST = 6;

/** @returns {string[]} */
function names() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(kept) ? kept.filter((each) => typeof each === "string").slice(0, MOST) : [];
  } catch {
    return [];
  }
}

/** @param {string[]} kept */
function keep(kept) {
  try {
    if (kept.length) localStorage.setItem(KEPT, JSON.stringify(kept));
    else localStorage.removeItem(KEPT);
  } catch {
    // A private window may refuse; then the tray lasts as long as the page.
  }
  show(kept);
}

/**
 * Add an API, or take it out again.
 * @param {string} name
 */
export function compare(name) {
  const kept = names();
  keep(kept.includes(name) ? kept.filter((each) => each !== name) : [...kept, name].slice(-MOST));
}

/** @param {string[]} kept */
function show(kept) {
  document.querySelector(".tray")?.remove();
  if (!kept.length) return;
  const items = kept.map((name) => {
    const out = make("button", { type: "button", class: "quiet", "aria-label": word("tray.remove", { api: name }) }, icon("x"));
    out.addEventListener("click", () => compare(name));
    return make("li", {}, name, out);
  });
  const query = kept.map((name) => `api=${encodeURIComponent(name)}`).join("&");
  const go = kept.length > 1 ? make("a", { class: "button primary", href: `/apis/compare?${query}` }, word("tray.compare")) : make("span", { class: "muted" }, word("tray.more"));
  const clear = make("button", { type: "button" }, word("tray.clear"));
  clear.addEventListener("click", () => keep([]));
  document.body.append(make("aside", { class: "tray", "aria-label": word("tray.title") }, make("ul", {}, ...items), go, clear));
}

addEventListener("storage", (event) => { if (event.key === KEPT) show(names()); });
show(names());
