// The command palette: type a few letters, go anywhere. What it finds comes from the server, in the reader's words.
// @ts-check

import { icon, make, word } from "./words.js";

/** @typedef {{kind: string, title: string, hint: string, href: string, icon: string}} Found */

/** @type {HTMLDialogElement | null} */
let dialog = null;

/**
 * Open it, made at first use.
 * @param {string} typed what was typed meanwhile
 */
export function openPalette(typed) {
  dialog ??= built();
  if (!dialog.open) dialog.showModal();
  const field = dialog.querySelector("input");
  if (!field) return;
  if (typed) field.value = typed; else field.select();
  field.dispatchEvent(new Event("input"));
}

function built() {
  const field = /** @type {HTMLInputElement} */ (make("input", {
    type: "search", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list",
    "aria-label": word("palette.search"), placeholder: word("palette.search"), autocomplete: "off", spellcheck: "false", maxlength: "200",
  }));
  const list = make("ul", { id: "palette-list", role: "listbox", "aria-label": word("palette.found") });
  const told = make("p", { class: "muted", role: "status" });
  const made = /** @type {HTMLDialogElement} */ (make("dialog", { class: "palette", "aria-label": word("palette.search") }, field, list, told));
  document.body.append(made);
  let chosen = 0;
  let asked = 0;

  const options = () => /** @type {HTMLElement[]} */ ([...list.children]);
  /** @param {number} place */
  const choose = (place) => {
    const all = options();
    chosen = Math.min(Math.max(place, 0), all.length - 1);
    all.forEach((each, at) => each.setAttribute("aria-selected", String(at === chosen)));
    field.setAttribute("aria-activedescendant", all[chosen]?.id ?? "");
    all[chosen]?.scrollIntoView({ block: "nearest" });
  };
  /** @param {HTMLElement | undefined} option */
  const go = (option) => { if (option?.dataset.href?.startsWith("/")) location.assign(option.dataset.href); };
  /** @param {Found[]} found */
  const show = (found) => {
    list.replaceChildren(...found.map((each, place) => make("li", { id: `palette-${place}`, role: "option", "data-href": each.href, "aria-selected": "false" },
      icon(each.icon), make("span", {}, each.title), make("span", { class: "muted" }, each.hint))));
    told.textContent = found.length ? "" : word("palette.none");
    choose(0);
  };
  const ask = async () => {
    const mine = ++asked;
    try {
      const answer = await fetch(`/palette?q=${encodeURIComponent(field.value)}`, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const { found } = await answer.json();
      if (mine === asked) show(found);
    } catch {
      if (mine === asked) told.textContent = word("palette.failed");
    }
  };
  let waiting = 0;
  field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(ask, field.value ? 80 : 0); });
  field.addEventListener("keydown", (event) => {
    const moves = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, PageDown: chosen + 8, PageUp: chosen - 8 };
    if (event.key in moves) choose(moves[/** @type {keyof typeof moves} */ (event.key)]);
    else if (event.key === "Enter") go(options()[chosen]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => go(/** @type {HTMLElement} */ (event.target).closest("li") ?? undefined));
  made.addEventListener("click", (event) => { if (event.target === made) made.close(); });
  return made;
}
