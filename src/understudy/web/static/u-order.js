// <u-order>: the order that is to be tried is drawn by its handles, or moved with Alt and the arrow keys. Without scripts
// the lists alone say it. A name that is chosen at one place leaves the other: each API stands once.
// @ts-check

import { make } from "./words.js";

class Order extends HTMLElement {
  connectedCallback() {
    // Where the handle that is drawn came from; -1 while none is.
    /** @type {number} */
    this.from = -1;
    for (const [place, label] of this.places().entries()) {
      const grip = make("span", { class: "grip", draggable: "true", "aria-hidden": "true" }, "⠿");
      label.prepend(grip);
      grip.addEventListener("dragstart", (event) => {
        this.from = place;
        event.dataTransfer?.setData("text/plain", this.chosen()[place] ?? "");
        event.dataTransfer?.setDragImage(label, 8, 8);
      });
      grip.addEventListener("dragend", () => { this.from = -1; this.mark(-1); });
      label.addEventListener("dragover", (event) => {
        if ((this.from ?? -1) < 0) return;
        event.preventDefault();
        this.mark(place);
      });
      label.addEventListener("drop", (event) => {
        event.preventDefault();
        if (this.from !== undefined && this.from >= 0) this.move(this.from, place);
      });
    }
    this.kept = this.chosen();
    this.addEventListener("change", () => this.once());
    this.addEventListener("keydown", (event) => this.key(event));
  }

  places() {
    return [...this.querySelectorAll("label")];
  }

  /** @returns {NodeListOf<HTMLSelectElement>} */
  lists() {
    return this.querySelectorAll("select");
  }

  chosen() {
    return [...this.lists()].map((each) => each.value);
  }

  /** @param {string[]} names */
  write(names) {
    for (const [place, list] of this.lists().entries()) list.value = names[place] ?? "";
    this.kept = this.chosen();
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  move(from, to) {
    const names = this.chosen();
    if (to < 0 || to >= names.length) return;
    names.splice(to, 0, ...names.splice(from, 1));
    // Places that say nobody stand at the end: the first must name somebody.
    this.write([...names.filter(Boolean), ...names.filter((each) => !each)]);
    this.lists()[to]?.focus();
  }

  /** Whoever was chosen twice changes places. */
  once() {
    const names = this.chosen(), before = this.kept ?? [];
    const place = names.findIndex((each, at) => each !== before[at]);
    const other = names.findIndex((each, at) => each && at !== place && each === names[place]);
    if (place >= 0 && other >= 0) names[other] = before[place] ?? "";
    this.write(names);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const place = [...this.lists()].findIndex((each) => each === event.target);
    const way = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (place < 0 || !way || !event.altKey) return;
    event.preventDefault();
    this.move(place, place + way);
  }

  /** @param {number} to */
  mark(to) {
    for (const [place, label] of this.places().entries()) label.classList.toggle("target", place === to);
  }
}

customElements.define("u-order", Order);
