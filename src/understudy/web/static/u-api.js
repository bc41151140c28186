// One API, kept live: its state and its numbers of the last minutes change in place.
// @ts-check

import { live } from "./live.js";
import { fill } from "./u-apis.js";

class UApi extends HTMLElement {
  connectedCallback() {
    const name = this.dataset.api ?? "";
    this.end = live.on(`rows:${this.dataset.topic}`, (data) => {
      if (data[name]) fill(this, data[name]);
    });
  }

  disconnectedCallback() {
    this.end?.();
  }
}

customElements.define("u-api", UApi);
