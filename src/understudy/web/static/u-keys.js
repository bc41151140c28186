// The sheet of all keys.
// @ts-check

import { make, word } from "./words.js";

/** Show it; the places of the rail say their own keys. */
export function openKeys() {
  const places = [...document.querySelectorAll(".rail a[data-key]")].map((each) =>
    [`g ${/** @type {HTMLElement} */ (each).dataset.key}`, each.querySelector("span")?.textContent ?? ""]);
  const others = ["Ctrl K", "/", "t", "c", "e", "s", "j / k", "[ / ]", "?"].map((key) => [key, word(`keys.${key}`)]);
  const list = make("dl", { class: "keys" }, ...[...others, ...places].flatMap(([key, about]) =>
    [make("dt", {}, make("kbd", {}, key)), make("dd", {}, about)]));
  const close = make("button", { type: "button" }, word("keys.close"));
  const dialog = /** @type {HTMLDialogElement} */ (make("dialog", { "aria-labelledby": "keys-title" }, make("h2", { id: "keys-title" }, word("keys.title")), list, close));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
