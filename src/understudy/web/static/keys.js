// The keys of every page: `g o` goes to the overview, `/` searches, `?` lists them all. Pages may add their own.
// @ts-check

import { word } from "./words.js";

/** How long after `g` the second key is awaited, ms. */
const PATIENCE = 1500;
let going = 0;

/**
 * What was typed while the palette was still on its way; null: it is not.
 * @type {string | null}
 */
let typed = null;

/** Load what few need when they need it. */
async function palette() {
  typed ??= "";
  try {
    const { openPalette } = await import("./u-palette.js");
    openPalette(typed);
  } finally {
    typed = null;
  }
}
const sheet = async () => (await import("./u-keys.js")).openKeys();
const tray = async () => import("./u-tray.js");

/** @param {string} selector @returns {HTMLElement | null} */
const one = (selector) => document.querySelector(selector);

/**
 * Whether somebody is typing.
 * @param {Event} event
 */
function typing(event) {
  const target = event.target;
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
    && !/^(checkbox|radio|button|submit)$/.test(/** @type {HTMLInputElement} */ (target).type));
}

/** The rows that j and k walk over. */
const rows = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main tbody tr, main .problems li, main .multiple")])
  .filter((row) => row.offsetParent && row.querySelector("a[href]"));

/**
 * Put the focus on the first link of the next row, or the one before.
 * @param {number} step
 */
function walk(step) {
  const all = rows();
  const now = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[now < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + step, 0), all.length - 1)];
  /** @type {HTMLElement | null} */ (next?.querySelector("a[href]"))?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

/** The API that a row or the page is about. */
function chosen() {
  const near = document.activeElement?.closest("[data-api]") ?? one("u-api[data-api]");
  return near instanceof HTMLElement ? near.dataset.api ?? "" : "";
}

/** @type {Record<string, () => void>} */
const KEYS = {
  "/": () => { const field = one("main [data-command='search'], main input[type='search']"); if (field) field.focus(); else palette(); },
  "?": sheet,
  t: () => {
    const menu = /** @type {HTMLDetailsElement | null} */ (one("[data-menu='range']"));
    if (menu) { menu.open = true; /** @type {HTMLElement | null} */ (menu.querySelector("a"))?.focus(); }
  },
  c: async () => { const name = chosen(); if (name) (await tray()).compare(name); },
  j: () => walk(1),
  k: () => walk(-1),
  "[": () => one("main a[rel='prev']")?.click(),
  "]": () => one("main a[rel='next']")?.click(),
};

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  if (typed !== null && event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
    typed += event.key;
    event.preventDefault();
    return;
  }
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    palette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event) || document.querySelector("dialog[open]")) return;
  if (Date.now() - going < PATIENCE) {
    going = 0;
    const place = one(`.rail a[data-key="${CSS.escape(event.key)}"]`);
    if (place) { event.preventDefault(); place.click(); }
    return;
  }
  if (event.key === "g") { going = Date.now(); return; }
  const act = KEYS[event.key] ?? (/^[a-z]$/.test(event.key) ? () => one(`main button[aria-keyshortcuts="${event.key}"]`)?.click() : null);
  if (act) { event.preventDefault(); act(); }
});

// A menu closes when the reader goes elsewhere, or says so.
addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(/** @type {Node} */ (event.target))) /** @type {HTMLDetailsElement} */ (menu).open = false;
  }
});
addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" ? document.querySelector("details.menu[open]") : null;
  if (menu) { /** @type {HTMLDetailsElement} */ (menu).open = false; menu.querySelector("summary")?.focus(); }
});

for (const button of document.querySelectorAll("[data-command]")) {
  if (!(button instanceof HTMLButtonElement)) continue;
  button.hidden = false;
  button.addEventListener("click", () => button.dataset.command === "pin" ? pin(button) : button.dataset.command === "keys" ? sheet() : palette());
}

/**
 * Copy the address with its span made absolute, so that whoever opens it sees the same.
 * @param {HTMLElement} button
 */
async function pin(button) {
  const menu = /** @type {HTMLElement | null} */ (button.closest("[data-from]"));
  const address = new URL(location.href);
  address.searchParams.delete("last");
  address.searchParams.delete("month");
  address.searchParams.set("from", menu?.dataset.from ?? "");
  address.searchParams.set("to", menu?.dataset.to ?? "");
  await navigator.clipboard?.writeText(address.href);
  button.append(` ✓ ${word("range.copied")}`);
}

try {
  if (localStorage.getItem("us-compare")) tray();
} catch {
  // A browser that keeps nothing has no tray either.
}
