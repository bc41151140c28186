// One API, kept live: its state and numbers change in place each second, its charts whenever a point is complete.
// @ts-check

import { renew } from "./fresh.js";
import { live } from "./live.js";
import { fill } from "./u-apis.js";

/**
 * @typedef {{src: string, every: number}} Refresh `every` in seconds
 * @typedef {import("./u-chart.js").UChart} UChart
 * @typedef {import("./u-chart.js").Chart & {key?: string}} Chart
 */

/** After something happened it is looked at once more, so late that whatever belongs to it is there, ms. */
const SETTLED = 400;
/** In a storm not more often than this, ms. */
const APART = 5000;
/** What is written in words is read anew this often without anything having happened, ms. */
const WORDS = 30_000;

class UApi extends HTMLElement {
  connectedCallback() {
    const name = this.dataset.api ?? "";
    const source = this.querySelector("[data-part='refresh']");
    /** @type {Refresh | null} */
    const refresh = source ? JSON.parse(source.textContent ?? "{}") : null;
    const state = () => /** @type {HTMLElement | null} */ (this.querySelector("[data-field='state'] .state"))?.dataset.state;
    const changed = () => this.happened(refresh);
    const happened = (/** @type {unknown} */ _, /** @type {{initial: boolean}} */ { initial }) => initial || changed();
    this.ends = [
      live.on(`rows:${this.dataset.topic}`, (data) => {
        if (!data[name]) return;
        const before = state();
        fill(this, data[name]);
        if (before !== data[name].state) changed();
      }),
      // What is marked on the charts is seen at once: alerts of this API, and whatever else changes.
      live.on("events", happened), live.on("alerts", happened),
    ];
    this.timers = [setInterval(() => this.words(), WORDS)];
    if (!refresh) return;
    this.timers.push(setInterval(() => this.again(refresh), refresh.every * 1000));
    // Where a point is ten seconds, the newest second stands for the one that is not complete yet.
    if (refresh.every <= 10) this.ends.push(live.on(`series:${name}`, (second) => this.second(second)));
  }

  /**
   * Look once more, soon.
   * @param {Refresh | null} refresh
   */
  happened(refresh) {
    if (this.soon) return;
    this.soon = setTimeout(() => {
      this.soon = 0;
      this.looked = Date.now();
      this.words();
      if (refresh) this.again(refresh);
    }, Math.max(SETTLED, (this.looked ?? 0) + APART - Date.now()));
  }

  /** Read what the page says in words anew. */
  words() {
    if (!document.hidden && live.state !== "paused") renew(this);
  }

  /** @param {Record<string, any>} second */
  second(second) {
    const rated = second.successes + second.failures;
    const point = {
      ...second, per_second: second.total / second.length, success_rate: rated ? 100 * second.successes / rated : null,
    };
    for (const chart of /** @type {NodeListOf<UChart>} */ (this.querySelectorAll("u-chart"))) {
      const field = chart.chart?.series[0]?.field ?? "";
      if (field in point) chart.push(point);
    }
  }

  disconnectedCallback() {
    for (const end of this.ends ?? []) end();
    for (const timer of this.timers ?? []) clearInterval(timer);
    clearTimeout(this.soon);
  }

  /**
   * Read the span anew, as it has moved on.
   * @param {Refresh} refresh
   */
  async again(refresh) {
    if (document.hidden || live.state === "paused") return;
    let found;
    try {
      const answer = await fetch(refresh.src, { headers: { accept: "application/json" } });
      if (!answer.ok) return; // the badge of the frame tells that nothing is heard; the next round tries again
      found = await answer.json();
    } catch {
      return;
    }
    if (this.querySelector("[data-part='nothing']")) {
      const some = found.charts.some((/** @type {Chart} */ told) => told.series.some((each) => each.values.some((value) => value)));
      // The first requests: charts, judgement and lists stand on the page that the server writes.
      if (some && !document.querySelector("dialog[open], details[open], :popover-open")) location.reload();
      return;
    }
    const charts = /** @type {UChart[]} */ ([...this.querySelectorAll("u-chart")]);
    for (const told of /** @type {Chart[]} */ (found.charts)) {
      const mine = charts.find((each) => /** @type {Chart} */ (each.chart)?.key === told.key);
      if (mine) show(mine, told);
    }
    if (found.heat) this.heat(found.heat);
  }

  /**
   * The same picture as the server draws: a cell for each count, the fullest one the darkest.
   * @param {{bounds: number[], rows: number[][]}} heat
   */
  heat(heat) {
    const picture = this.querySelector("[data-part='heat']");
    // Other rows mean another scale beside the picture, which only the server writes.
    if (!picture || picture.getAttribute("viewBox")?.endsWith(` ${heat.rows.length}`) !== true) return;
    const most = Math.max(...heat.rows.flat(), 1);
    const cells = heat.rows.flatMap((row, y) =>
      row.map((count, x) => (count ? cell(x, heat.rows.length - 1 - y, 0.15 + 0.85 * Math.sqrt(count / most)) : null)));
    picture.setAttribute("viewBox", `0 0 ${heat.rows[0]?.length ?? 1} ${heat.rows.length}`);
    picture.replaceChildren(.../** @type {Element[]} */ (cells.filter(Boolean)));
  }
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number} shade
 */
function cell(x, y, shade) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const all = { x, y, width: 1.02, height: 1.02, "fill-opacity": shade.toFixed(3) };
  for (const [name, value] of Object.entries(all)) made.setAttribute(name, String(value));
  return made;
}

/**
 * Give a chart what it shows now; it becomes a new one when it has other series, as failures of another class.
 * @param {UChart} chart
 * @param {Chart} told
 */
function show(chart, told) {
  const fields = (/** @type {Chart | undefined} */ drawn) => JSON.stringify(drawn?.series.map((each) => each.field));
  if (fields(chart.chart) === fields(told)) {
    chart.draw(told.at, told.series.map((each) => each.values), told);
    return;
  }
  const fresh = /** @type {UChart} */ (document.createElement("u-chart"));
  fresh.dataset.height = chart.dataset.height ?? "";
  fresh.chart = told;
  chart.replaceWith(fresh);
}

customElements.define("u-api", UApi);
