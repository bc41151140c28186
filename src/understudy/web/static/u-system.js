// <u-system>: how this process does, every two seconds.
// @ts-check

import { live } from "./live.js";
import { latency, NOTHING, number, percent } from "./units.js";

/**
 * @typedef {{uptime: number, cpu_percent: number | null, memory_rss: number | null, active_connections: number | null,
 *   loop_lag_p99: number | null, in_flight: number, errors: number}} System
 */

const UNITS = /** @type {[number, string][]} */ ([[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]);

/**
 * 3725 -> 1 h 2 min, as the server writes it.
 * @param {number} value
 */
function lasting(value) {
  let left = Math.max(0, Math.round(value));
  const parts = [];
  for (const [length, unit] of UNITS) {
    const count = Math.floor(left / length);
    left -= count * length;
    if (count) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** @type {Record<string, (system: System) => string>} */
const FIGURES = {
  uptime: (system) => lasting(system.uptime),
  memory_rss: (system) => (system.memory_rss == null ? NOTHING : `${number(system.memory_rss / 1048576, 1)} MiB`),
  cpu_percent: (system) => percent(system.cpu_percent),
  loop_lag_p99: (system) => latency(system.loop_lag_p99),
  active_connections: (system) => number(system.active_connections),
  in_flight: (system) => number(system.in_flight),
};

class Machine extends HTMLElement {
  connectedCallback() {
    this.stop = live.on("system", (/** @type {System} */ system) => {
      for (const [name, told] of Object.entries(FIGURES)) {
        const place = this.querySelector(`[data-live="${name}"]`);
        if (place) place.textContent = told(system);
      }
      // What was logged meanwhile stands on the page that the server writes.
      const fresh = /** @type {HTMLElement | null} */ (this.querySelector("[data-part='more']"));
      if (fresh) fresh.hidden = system.errors <= Number(this.dataset.errors);
    });
  }

  disconnectedCallback() {
    this.stop?.();
  }
}

customElements.define("u-system", Machine);
