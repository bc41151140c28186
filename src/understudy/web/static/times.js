// Times in the reader's own zone, or in UTC where the reader chose that; the server writes UTC.
// @ts-check

import { zone } from "./units.js";

// In English as the server writes them, 2026-11-29 14:05:10: nobody has to guess which is the month.
const written = document.documentElement.lang === "en" ? "sv-SE" : document.documentElement.lang;
const shown = new Intl.DateTimeFormat(written, {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  hourCycle: "h23", timeZone: zone,
});

/**
 * Rewrite every `<time data-at="epoch seconds">` below a node.
 * @param {ParentNode} root
 */
export function localTimes(root) {
  for (const each of root.querySelectorAll("time[data-at]")) {
    const at = Number(/** @type {HTMLElement} */ (each).dataset.at);
    if (!Number.isFinite(at)) continue;
    const utc = each.textContent ?? "";
    each.textContent = shown.format(at * 1000);
    each.setAttribute("title", utc);
  }
}
