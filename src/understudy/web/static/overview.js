// The first page, live: its numbers each second, its sentence, problems and events as soon as something happened.
// @ts-check

import "./u-heat.js";
import "./u-mini.js";
import { live } from "./live.js";
import { localTimes } from "./times.js";
import { measure, number } from "./units.js";
import { make, word } from "./words.js";

const page = /** @type {HTMLElement} */ (document.getElementById("overview"));
/** @param {string} name @returns {HTMLElement | null} */
const part = (name) => page.querySelector(`[data-part="${name}"]`);

/**
 * What stands in a figure, by its key.
 * @type {Record<string, (data: any) => string>}
 */
const FIGURES = {
  healthy: (data) => number(data.counts?.healthy), degraded: (data) => number(data.counts?.degraded),
  down: (data) => number(data.counts?.down), rate: (data) => measure(data.per_second, ""),
  success: (data) => measure(data.success_rate, "%"), p95: (data) => measure(data.p95, "s"),
};

/** Of a longer span only the states are of now. */
const shown = Object.entries(FIGURES).filter(([key]) => page.dataset.window || ["healthy", "degraded", "down"].includes(key));

live.on("overview", (data) => {
  for (const [key, told] of shown) {
    const value = page.querySelector(`[data-figure="${key}"] [data-part="value"]`);
    const text = told(data);
    if (value && value.textContent !== text) value.textContent = text;
  }
});

/**
 * A state as the server writes it: shape and word.
 * @param {string} name
 * @param {string} word
 */
function state(name, word) {
  return make("span", { class: "state", "data-state": name }, make("span", { class: "shape", "aria-hidden": "true" }), word);
}

/** @param {Record<string, string>} told */
function problem(told) {
  const link = make("a", { href: told.href.startsWith("/") ? told.href : "/" }, state(told.state, told.word), make("strong", {}, told.title),
    make("span", { class: "about" }, told.about), make("span", { class: "muted" }, told.age));
  if (told.touched) link.append(make("span", { class: "touched" }, told.touched));
  return make("li", {}, link);
}

/** @param {{at: number, name: string, href: string, text: string}} told */
function event(told) {
  const at = make("time", { datetime: new Date(told.at * 1000).toISOString(), "data-at": String(told.at) }, "");
  const text = make("span", {});
  if (told.href.startsWith("/")) text.append(make("a", { href: told.href }, told.name), " ");
  text.append(told.text);
  return make("li", {}, at, text);
}

let last = "";
/** Ask what is true now, and write what changed. */
async function ask() {
  const answer = await fetch("/overview/now", { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const text = await answer.text();
  if (text === last) return;
  last = text;
  const now = JSON.parse(text);
  const truth = part("truth");
  if (truth && truth.textContent !== now.truth) truth.textContent = now.truth;
  part("problems")?.replaceChildren(...now.problems.map(problem));
  part("events")?.replaceChildren(...now.events.map(event));
  part("none")?.toggleAttribute("hidden", now.problems.length > 0);
  part("quiet")?.toggleAttribute("hidden", now.events.length > 0);
  const more = part("more");
  if (more?.firstElementChild) { more.firstElementChild.textContent = now.more; more.hidden = !now.more; }
  localTimes(page);
}

let asking = false;
let again = false;
/** At once when something happened, but never twice at the same time. */
async function happened() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    await ask();
  } catch {
    // The connection is away: the badge above says so, and the next event asks again.
  }
  asking = false;
  if (again) { again = false; setTimeout(happened, 250); }
}
live.on("alerts", (_, { initial }) => { if (!initial) happened(); });
live.on("events", (_, { initial }) => { if (!initial) happened(); });
// Ages and the shares of the last hour move on without an event.
setInterval(() => { if (!document.hidden && live.state !== "paused") happened(); }, 15_000);

const charts = new Map([...page.querySelectorAll("[data-api] u-mini")].map((each) =>
  [/** @type {HTMLElement} */ (each.closest("[data-api]")).dataset.api, /** @type {import("./u-mini.js").UMini} */ (each)]));
if (page.dataset.topics) {
  live.on(`newest:${page.dataset.window}:${page.dataset.topics}`, (data, { changed }) => {
    for (const name of changed) {
      const told = data[name], chart = charts.get(name);
      if (!told || !chart) continue;
      chart.push(told);
      const shape = chart.closest("[data-api]")?.querySelector("[data-part='state'] .state");
      if (shape instanceof HTMLElement && shape.dataset.state !== told.state) shape.replaceWith(state(told.state, word(`state.${told.state}`)));
    }
  });
}

/** A longer span moves on when a column of it is full: its numbers and charts are read anew. */
async function renew() {
  if (document.hidden || live.state === "paused") return;
  try {
    const answer = await fetch(page.dataset.src ?? "", { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const told = await answer.json();
    for (const each of told.figures) {
      const figure = page.querySelector(`[data-figure="${each.key}"]`);
      for (const name of shown.some(([key]) => key === each.key) ? ["change"] : ["value", "change"]) {
        const place = figure?.querySelector(`[data-part="${name}"]`);
        if (place) place.textContent = each[name];
      }
      figure?.querySelector(".spark path")?.setAttribute("d", each.path);
    }
    for (const each of told.charts) charts.get(each.api)?.draw(each.chart);
  } catch {
    // The badge above says that nothing is heard; the next round asks again.
  }
}
if (page.dataset.src) setInterval(renew, Number(page.dataset.every) * 1000);
