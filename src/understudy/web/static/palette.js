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
 * A token mixed with the ground, so that nothing shows through: layers of a stack lie on each other.
 * @param {string} token
 * @param {number} share of the colour, from 0 to 1
 */
export function mixed(token, share) {
  const parts = (/** @type {string} */ hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const ground = parts(colour("panel"));
  const mix = parts(colour(token)).map((part, at) => Math.round(part * share + ground[at] * (1 - share)));
  return `rgb(${mix.join(" ")})`;
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
