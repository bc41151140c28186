// The colours of the style sheet for what is painted: read once, and anew when the theme changes.
// @ts-check

/** @type {Map<string, string>} */
const known = new Map();
/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * A token of the style sheet, as `ok` or `series-1`.
 * @param {string} token
 */
export function colour(token) {
  let value = known.get(token);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim() || "#888";
    known.set(token, value);
  }
  return value;
}

/**
 * A token with some of the ground showing through.
 * @param {string} token
 * @param {number} share from 0 (nothing of the colour) to 1
 */
export function thinned(token, share) {
  return colour(token) + Math.round(share * 255).toString(16).padStart(2, "0");
}

/**
 * Call a function whenever the colours change; returns what ends that.
 * @param {() => void} listener
 */
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function changed() {
  known.clear();
  for (const each of listeners) each();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ["data-theme"] });
