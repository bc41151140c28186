// What every page does once it is there; each concern is a module of its own.
// @ts-check

import "./keys.js";
import "./live-badge.js";
import { live } from "./live.js";
import { localTimes } from "./times.js";
import { number } from "./units.js";

localTimes(document);

// On a phone the tab that is open may stand beyond the edge.
document.querySelector(".tabs > [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

// What is wrong with the service itself, above every page while it lasts.
const trouble = document.getElementById("trouble");
if (trouble) {
  live.on("troubles", (/** @type {{kind: string}} */ { kind }) => {
    const text = kind ? trouble.getAttribute(`data-${kind}`) ?? trouble.getAttribute("data-other") : "";
    if (trouble.firstElementChild && text) trouble.firstElementChild.textContent = text;
    trouble.hidden = !text;
  });
}

// How many alerts fire, beside their place in the rail.
live.on("alerts", (data) => {
  const firing = Object.values(data).filter((each) => each.phase !== "pending").length;
  for (const count of document.querySelectorAll("[data-count='alerts']")) count.textContent = firing ? number(firing) : "";
});
