// The words that scripts show: the page carries them in the reader's language, scripts hold none of their own.
// @ts-check

const found = document.getElementById("words");
/** @type {Record<string, string>} */
const words = found ? JSON.parse(found.textContent ?? "{}") : {};

/**
 * A text of the page, with its `{places}` filled; the key itself where the page has none.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function word(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
}

/**
 * An element with attributes, a text and children; texts never become markup.
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * One of the icons of the sprite.
 * @param {string} name
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const made = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  made.setAttribute("class", "icon");
  made.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${found?.dataset.icons ?? ""}#${name}`);
  made.append(use);
  return made;
}
