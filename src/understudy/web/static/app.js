// What every page does once it is there; each concern is a module of its own.
// @ts-check

import "./keys.js";
import "./live-badge.js";
import { live } from "./live.js";
import { localTimes } from "./times.js";
import { number } from "./units.js";

localTimes(document);

// How many alerts fire, beside their place in the rail.
live.on("alerts", (data) => {
  const firing = Object.values(data).filter((each) => each.phase !== "pending").length;
  for (const count of document.querySelectorAll("[data-count='alerts']")) count.textContent = firing ? number(firing) : "";
});
