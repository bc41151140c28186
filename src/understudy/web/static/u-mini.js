// <u-mini>: a small chart without controls, for many on one page: lines from zero, shaded faults, a cursor that speaks.
// @ts-check

import { colour, onTheme, thinned } from "./palette.js";
import { measure, tick, when } from "./units.js";
import { make, word } from "./words.js";

/** @typedef {import("./chart-options.js").Chart & {faults?: Record<string, string>}} Chart `faults`: what shades say */

const RIGHT = 6, BOTTOM = 16, LEFT = 44;
const sizes = new ResizeObserver((changed) => {
  for (const each of changed) /** @type {UMini} */ (each.target.parentElement)?.paint();
});

export class UMini extends HTMLElement {
  connectedCallback() {
    const source = this.querySelector("script[type='application/json']");
    if (!source || this.plot) return;
    /** @type {Chart} */
    const chart = JSON.parse(source.textContent ?? "{}");
    this.chart = chart;
    /** @type {number | null} */
    this.place = null;
    this.read = make("p", { class: "chart-read" });
    this.canvas = /** @type {HTMLCanvasElement} */ (make("canvas", { "aria-hidden": "true" }));
    this.plot = make("div", { class: "chart-plot", tabindex: "0", role: "group", "aria-label": chart.title }, this.canvas);
    this.plot.style.blockSize = `${Number(this.dataset.height) || 96}px`;
    this.querySelector("svg")?.remove();
    this.append(this.read, this.plot);
    this.classList.add("ready");
    sizes.observe(this.plot);
    this.endTheme = onTheme(() => this.paint());
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.move(null));
    this.plot.addEventListener("blur", () => this.move(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.tell();
  }

  disconnectedCallback() {
    if (this.plot) sizes.unobserve(this.plot);
    this.endTheme?.();
  }

  /**
   * From a time to its place on the canvas, CSS pixels.
   * @param {number} place
   */
  x(place) {
    const width = (this.plot?.clientWidth ?? 0) - LEFT - RIGHT;
    return LEFT + width * place / Math.max(1, (this.chart?.at.length ?? 1) - 1);
  }

  paint() {
    const { chart, canvas, plot } = this;
    const paint = canvas?.getContext("2d");
    if (!chart || !canvas || !plot || !paint) return;
    const width = plot.clientWidth, height = plot.clientHeight, ratio = devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.inlineSize = `${width}px`;
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    const floor = height - BOTTOM;
    const top = round(Math.max(0, ...chart.series.flatMap((each) => each.values.map((value) => value ?? 0))));
    const y = (/** @type {number} */ value) => floor - (floor - 6) * value / top;
    const begin = chart.at[0] ?? 0, span = ((chart.at[chart.at.length - 1] ?? 1) - begin) || 1;
    const time = (/** @type {number} */ at) => LEFT + (width - LEFT - RIGHT) * Math.min(Math.max((at - begin) / span, 0), 1);
    for (const band of chart.bands ?? []) {
      const token = band.state === "down" ? "down" : "degraded";
      const from = time(band.from), wide = Math.max(time(band.to ?? begin + span) - from, 2);
      paint.fillStyle = thinned(token, 0.15);
      paint.fillRect(from, 6, wide, floor - 6);
      paint.fillStyle = colour(token);
      paint.fillRect(from, 4, wide, token === "down" ? 4 : 2);
    }
    paint.font = `11px ${getComputedStyle(this).fontFamily}`;
    paint.fillStyle = colour("muted");
    paint.strokeStyle = colour("line");
    paint.textBaseline = "middle";
    for (const value of [0, top / 2, top]) {
      const at = Math.round(y(value)) + 0.5;
      paint.beginPath();
      paint.moveTo(LEFT, at);
      paint.lineTo(width - RIGHT, at);
      paint.stroke();
      paint.textAlign = "right";
      if (value || !top) paint.fillText(measure(value, chart.unit), LEFT - 4, at);
    }
    paint.textBaseline = "bottom";
    for (const [share, align] of /** @type {[number, CanvasTextAlign][]} */ ([[0, "left"], [0.5, "center"], [1, "right"]])) {
      paint.textAlign = align;
      paint.fillText(tick(begin + span * share, span / 4), LEFT + (width - LEFT - RIGHT) * share, height);
    }
    chart.series.forEach((each, number) => this.line(paint, each.values, y, number));
    if (this.place != null) {
      paint.fillStyle = colour("field");
      paint.fillRect(Math.round(this.x(this.place)), 6, 1, floor - 6);
    }
  }

  /**
   * One series; a gap stays a gap, and a value between two of them is a dot.
   * @param {CanvasRenderingContext2D} paint
   * @param {(number | null)[]} values
   * @param {(value: number) => number} y
   * @param {number} number
   */
  line(paint, values, y, number) {
    paint.strokeStyle = paint.fillStyle = colour(number ? "series-2" : "series-1");
    paint.lineWidth = 1.5;
    paint.setLineDash(number ? [5, 3] : []);
    paint.beginPath();
    values.forEach((value, place) => {
      if (value == null) return;
      const before = values[place - 1] != null;
      if (before) paint.lineTo(this.x(place), y(value));
      else paint.moveTo(this.x(place), y(value));
      if (!before && values[place + 1] == null) paint.fillRect(this.x(place) - 2, y(value) - 2, 4, 4);
    });
    paint.stroke();
    paint.setLineDash([]);
    paint.lineWidth = 1;
  }

  /** @param {PointerEvent} event */
  point(event) {
    const box = this.plot?.getBoundingClientRect();
    const last = (this.chart?.at.length ?? 1) - 1;
    if (box) this.move(Math.round((event.clientX - box.left - LEFT) / ((box.width - LEFT - RIGHT) || 1) * last));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const last = (this.chart?.at.length ?? 1) - 1, now = this.place ?? last;
    const moves = { ArrowLeft: now - 1, ArrowRight: now + 1, PageUp: now - 10, PageDown: now + 10, Home: 0, End: last };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    this.read?.setAttribute("role", "status");
    this.move(moves[/** @type {keyof typeof moves} */ (event.key)]);
    event.preventDefault();
  }

  /**
   * Put the cursor somewhere, or nowhere.
   * @param {number | null} place
   */
  move(place) {
    const next = place === null ? null : Math.min(Math.max(place, 0), (this.chart?.at.length ?? 1) - 1);
    if (next === this.place) return;
    this.place = next;
    this.tell();
    this.paint();
  }

  /** Say what stands at the cursor; the latest values when it is nowhere. */
  tell() {
    const { chart, read, place } = this;
    if (!chart || !read) return;
    const at = place ?? chart.at.findLastIndex((_, each) => chart.series.some((series) => series.values[each] != null));
    const values = chart.series.map((each) => `${each.label} ${measure(each.values[at], chart.unit)}`).join(" · ");
    const fault = place === null ? "" : (chart.bands ?? []).find((band) => chart.at[at] >= band.from && chart.at[at] < (band.to ?? Infinity))?.label;
    const told = at < 0 ? word("chart.nothing") : `${place === null ? "" : `${when(chart.at[at])} · `}${values}${fault ? ` · ${fault}` : ""}`;
    if (read.textContent !== told) read.textContent = told;
  }

  /**
   * Shade the newest slice where its calls failed, and no more than that.
   * @param {Record<string, any>} point
   */
  shade(point) {
    const { chart } = this;
    if (!chart) return;
    const bands = (chart.bands ?? []).filter((each) => each.from < point.at);
    const label = chart.faults?.[point.fault];
    const before = bands[bands.length - 1];
    if (before?.to != null && before.to > point.at) before.to = point.at; // what a slice was may change while it runs
    if (label && before?.state === point.fault && before.to === point.at) before.to = point.at + (chart.step ?? 60);
    else if (label) bands.push({ from: point.at, to: point.at + (chart.step ?? 60), label, state: point.fault });
    chart.bands = bands;
  }

  /**
   * Show another chart in its place.
   * @param {Chart} chart
   */
  draw(chart) {
    this.chart = chart;
    if (this.place === null) this.tell();
    this.paint();
  }

  /**
   * Take in the running point: it replaces the last one of the same step, or follows it.
   * @param {Record<string, any>} point
   */
  push(point) {
    const { chart } = this;
    if (!chart) return;
    const last = chart.at.length - 1;
    const steps = Math.round((point.at - chart.at[last]) / (chart.step ?? 60));
    if (steps < 0) return;
    for (let step = 1; step <= Math.min(steps, chart.at.length); step++) {
      chart.at.push(chart.at[chart.at.length - 1] + (chart.step ?? 60));
      chart.at.shift();
      for (const each of chart.series) { each.values.push(null); each.values.shift(); }
    }
    for (const each of chart.series) each.values[last] = point[each.field ?? ""] ?? null;
    this.shade(point);
    if (this.place === null) this.tell();
    this.paint();
  }
}

/**
 * The next higher number of 1, 1.5, 2, 3, 5 or 8 and zeros.
 * @param {number} value
 */
function round(value) {
  if (value <= 0) return 0.1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * ([1, 1.5, 2, 3, 5, 8].find((each) => each * unit >= value) ?? 10);
}

customElements.define("u-mini", UMini);
