// <u-channels>: the state of each channel and what waits for it, as they change.
// @ts-check

import { live } from "./live.js";

const SHAPES = { closed: "healthy", open: "down", half_open: "degraded", disabled: "paused" };
const numbers = new Intl.NumberFormat(document.documentElement.lang || "en");

class Channels extends HTMLElement {
  connectedCallback() {
    /** @type {Record<string, string>} */
    this.words = JSON.parse(this.dataset.words ?? "{}");
    this.stop = live.on("channels", (data) => this.show(data));
  }

  disconnectedCallback() {
    this.stop?.();
  }

  /** @param {Record<string, {state?: string, waiting?: number} | null>} found */
  show(found) {
    for (const row of this.querySelectorAll("tr[data-channel]")) {
      const channel = found?.[/** @type {HTMLElement} */ (row).dataset.channel ?? ""];
      if (!channel) continue;
      const state = row.querySelector(".state"), waiting = row.querySelector("[data-part='waiting']");
      if (state && channel.state) {
        state.setAttribute("data-state", SHAPES[/** @type {keyof typeof SHAPES} */ (channel.state)] ?? "unknown");
        if (state.lastChild) state.lastChild.textContent = this.words?.[channel.state] ?? channel.state;
      }
      if (waiting && channel.waiting !== undefined) waiting.textContent = numbers.format(channel.waiting);
    }
  }
}

customElements.define("u-channels", Channels);
