// Times in the reader's own zone, or in UTC where the reader chose that; the server writes UTC.
// @ts-check

import { zone } from "./units.js";

const shown = new Intl.DateTimeFormat(document.documentElement.lang, {
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
