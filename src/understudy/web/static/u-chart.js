// <u-chart>: a chart over the table or drawing that the server wrote. Hover, touch and keyboard read it, a drag zooms.
// @ts-check

import { columns, dashes, drawn, options, paintNames, paintNotes, tone } from "./chart-options.js";
import { live } from "./live.js";
import { colour, onTheme } from "./palette.js";
import { measure, when } from "./units.js";
import { icon, make, word } from "./words.js";

/** @typedef {import("./chart-options.js").Chart} Chart */

// Charts by group: they share one zoom.
/** @type {Map<string, Set<UChart>>} */
const groups = new Map();
const exports = () => import("./chart-export.js");
const nearby = new IntersectionObserver((seen) => {
  for (const each of seen) if (each.isIntersecting) /** @type {UChart} */ (each.target).begin();
}, { rootMargin: "300px" });
const sizes = new ResizeObserver((changed) => {
  for (const each of changed) /** @type {UChart} */ (each.target.closest("u-chart"))?.fit();
});

export class UChart extends HTMLElement {
  connectedCallback() {
    if (this.plot) return;
    const source = this.querySelector("script[type='application/json']");
    // What is drawn: as the server wrote it, or as a script set it before it put the element in.
    /** @type {Chart | undefined} */
    this.chart = this.chart ?? (source ? JSON.parse(source.textContent ?? "{}") : undefined);
    if (this.chart) nearby.observe(this);
  }

  disconnectedCallback() {
    nearby.unobserve(this);
    if (this.plot) sizes.unobserve(this.plot);
    this.endTheme?.();
    this.endLive?.();
    groups.get(this.chart?.group ?? "")?.delete(this);
    this.u?.destroy();
    this.u = undefined;
  }

  /** Build the chart: called when it comes near the screen, and once only. */
  begin() {
    const chart = this.chart;
    if (!chart || this.u || typeof uPlot === "undefined") return;
    nearby.unobserve(this);
    this.data = make("div", { class: "chart-data" }, ...this.childNodes);
    this.plot = make("div", { class: "chart-plot", tabindex: "0", role: "group", "aria-label": chart.title });
    this.read = make("p", { class: "chart-read" });
    const head = make("div", { class: "chart-head" }, make("strong", {}, chart.title), this.legend(), this.read, this.tools());
    this.append(head, this.plot, ...this.notes(), this.data);
    this.classList.add("ready");
    this.paint();
    this.listen();
    if (chart.group) {
      if (!groups.has(chart.group)) groups.set(chart.group, new Set());
      groups.get(chart.group)?.add(this);
    }
    if (chart.live) this.endLive = live.on(chart.live, (point) => this.push(point));
    this.tell(null);
  }

  paint() {
    const { chart, plot } = this;
    if (!chart || !plot) return;
    const hooks = {
      drawClear: [(/** @type {any} */ u) => paintNotes(u, chart)],
      draw: [(/** @type {any} */ u) => paintNames(u, chart)],
      setCursor: [(/** @type {any} */ u) => this.tell(u.cursor.idx ?? null)],
      setScale: [(/** @type {any} */ u, /** @type {string} */ key) => key === "x" && this.zoomed(u)],
    };
    const height = Number(this.dataset.height) || 180;
    this.u = new uPlot(/** @type {any} */ (options(chart, plot.clientWidth || 300, height, hooks)), /** @type {any} */ (columns(chart)), plot);
    sizes.observe(plot);
    this.endTheme = onTheme(() => { this.u?.redraw(false, true); this.swatches(); });
    this.swatches();
  }

  fit() {
    const width = this.plot?.clientWidth ?? 0;
    if (this.u && width > 0 && width !== this.u.width) this.u.setSize({ width, height: this.u.height });
  }

  listen() {
    const { u, plot } = this;
    if (!u || !plot) return;
    plot.addEventListener("keydown", (event) => this.key(event));
    // A finger moves the cursor; scrolling up and down stays the browser's.
    u.over.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse") return;
      const box = u.over.getBoundingClientRect();
      u.setCursor({ left: event.clientX - box.left, top: event.clientY - box.top });
    });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { u, chart } = this;
    if (!u || !chart || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = chart.at.length - 1;
    const at = u.cursor.idx ?? last;
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 10, PageDown: at + 10, Home: 0, End: last };
    if (event.key in steps) this.point(Math.min(Math.max(steps[/** @type {keyof typeof steps} */ (event.key)], 0), last));
    else if (event.key === "+" || event.key === "=") this.narrow(at, 0.5);
    else if (event.key === "-") this.narrow(at, 2);
    else if (event.key === "Escape" && this.isZoomed()) this.reset();
    else if (event.key === "Enter" && this.link && !this.link.hidden) this.link.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Put the cursor on a point, and say what stands there.
  /** @param {number} place */
  point(place) {
    const { u, chart } = this;
    if (!u || !chart) return;
    const first = u.data[1]?.[place];
    u.setCursor({ left: u.valToPos(chart.at[place], "x"), top: first == null ? 0 : u.valToPos(first, "y") });
    this.read?.setAttribute("role", "status");
  }

  /** @param {number} place @param {number} factor */
  narrow(place, factor) {
    const { u, chart } = this;
    if (!u || !chart) return;
    const { min, max } = u.scales.x;
    const half = ((max ?? 0) - (min ?? 0)) * factor / 2;
    const [begin, end] = [chart.at[0], chart.at[chart.at.length - 1]];
    if (half * 2 >= end - begin) this.reset();
    else if (half > 0.5) u.setScale("x", { min: Math.max(chart.at[place] - half, begin), max: Math.min(chart.at[place] + half, end) });
  }

  isZoomed() {
    const { u, chart } = this;
    return Boolean(u && chart && chart.at.length && ((u.scales.x.min ?? 0) > chart.at[0] || (u.scales.x.max ?? 0) < chart.at[chart.at.length - 1]));
  }

  reset() {
    const { u, chart } = this;
    if (u && chart?.at.length) u.setScale("x", { min: chart.at[0], max: chart.at[chart.at.length - 1] });
  }

  // The visible stretch has changed.
  /** @param {any} u */
  zoomed(u) {
    const { chart } = this;
    if (!chart || !this.u) return;
    const { min, max } = u.scales.x;
    const zoomed = this.isZoomed();
    if (this.back) this.back.hidden = !zoomed;
    if (this.link && chart.brush) {
      this.link.hidden = !zoomed;
      this.link.href = chart.brush.replaceAll("{from}", String(Math.floor(min))).replaceAll("{to}", String(Math.ceil(max)));
    }
    this.dispatchEvent(new CustomEvent("u-brush", { bubbles: true, detail: { from: min, to: max, zoomed } }));
    for (const other of groups.get(chart.group ?? "") ?? []) {
      const theirs = other === this ? null : other.u?.scales.x;
      if (theirs && (theirs.min !== min || theirs.max !== max)) other.u?.setScale("x", { min, max });
    }
  }

  // Say what stands at a point; at the last one that has a value when nothing is pointed at.
  /** @param {number | null} place */
  tell(place) {
    const { chart, read } = this;
    if (!chart || !read) return;
    const at = place ?? chart.at.findLastIndex((_, each) => chart.series.some((series) => series.values[each] != null));
    if (at < 0) { read.textContent = word("chart.nothing"); return; }
    const values = chart.series.map((each) => `${chart.series.length > 1 ? `${each.label} ` : ""}${measure(each.values[at], chart.unit)}`);
    read.textContent = `${when(chart.at[at])} · ${values.join(" · ")}`;
  }

  // Take in the newest point, `{at, <field>: number}`: it replaces the last one of the same step, or follows it.
  /** @param {Record<string, any>} point */
  push(point) {
    const { chart } = this;
    if (!chart || typeof point?.at !== "number") return;
    const at = chart.step ? Math.floor(point.at / chart.step) * chart.step : point.at;
    const last = chart.at[chart.at.length - 1] ?? -Infinity;
    if (at < last) return;
    const fresh = at > last;
    const zoomed = this.isZoomed();
    if (fresh) {
      /** @type {number | undefined} */
      this.most = this.most ?? Math.max(chart.at.length, 60);
      chart.at.push(at);
      if (chart.at.length > this.most) chart.at.shift();
    }
    for (const each of chart.series) {
      const value = point[each.field ?? each.label] ?? null;
      if (fresh) {
        each.values.push(value);
        if (each.values.length > chart.at.length) each.values.shift();
      } else each.values[each.values.length - 1] = value;
    }
    if (!this.u || document.hidden) return;
    this.u.setData(/** @type {any} */ (columns(chart)), !zoomed);
    if (this.u.cursor.idx == null) this.tell(null);
  }

  /**
   * Draw other values in the same series.
   * @param {number[]} at
   * @param {(number | null)[][]} values one list for each series
   * @param {Pick<Chart, "bands" | "marks">} [noted] what is marked now
   */
  draw(at, values, noted) {
    const { chart } = this;
    if (!chart || values.length !== chart.series.length) return;
    const zoomed = this.isZoomed();
    chart.at = at;
    for (const [place, each] of chart.series.entries()) each.values = values[place];
    if (noted) this.note(noted);
    this.u?.setData(/** @type {any} */ (columns(chart)), !zoomed);
    if (this.u && this.u.cursor.idx == null) this.tell(null);
  }

  legend() {
    const { chart } = this;
    const list = make("span", { class: "chart-legend" });
    for (const [place, each] of (chart?.series ?? []).entries()) {
      const button = make("button", { type: "button", class: "quiet", "aria-pressed": "true", "data-series": String(place) }, make("i", {}), each.label);
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(shown));
        if (chart) this.u?.setSeries(drawn(chart).indexOf(each) + 1, { show: shown });
      });
      list.append(button);
    }
    list.hidden = (chart?.series.length ?? 0) < 2;
    return list;
  }

  /** Paint the samples of the legend. */
  swatches() {
    for (const button of this.querySelectorAll("[data-series]")) {
      const place = Number(/** @type {HTMLElement} */ (button).dataset.series);
      const series = this.chart?.series[place];
      const sample = button.querySelector("i");
      if (!series || !sample) continue;
      sample.style.borderTopColor = colour(tone(series, place));
      sample.style.borderTopStyle = dashes(series, place).length ? (place === 2 ? "dotted" : "dashed") : "solid";
    }
  }

  tools() {
    const { chart } = this;
    const button = (/** @type {string} */ name, /** @type {string} */ drawing, /** @type {() => void} */ act) => {
      const made = make("button", { type: "button", class: "quiet", "aria-label": word(name), title: word(name) }, icon(drawing));
      made.addEventListener("click", act);
      return made;
    };
    this.back = button("chart.reset", "undo-2", () => this.reset());
    this.back.hidden = true;
    this.link = /** @type {HTMLAnchorElement} */ (make("a", { class: "button", href: "#" }, word("chart.requests")));
    this.link.hidden = true;
    const table = button("chart.table", "columns-3", () => {
      const open = this.classList.toggle("with-data");
      table.setAttribute("aria-expanded", String(open));
    });
    table.setAttribute("aria-expanded", "false");
    return make("span", { class: "chart-tools" }, this.link, this.back, table,
      button("chart.csv", "download", async () => chart && (await exports()).numbers(chart)),
      button("chart.png", "save", async () => { const painted = this.querySelector("canvas"); if (painted && chart) (await exports()).picture(painted, chart); }));
  }

  // Mark other stretches and moments.
  /** @param {Pick<Chart, "bands" | "marks">} noted */
  note(noted) {
    const { chart } = this;
    if (!chart) return;
    chart.bands = noted.bands ?? [];
    chart.marks = noted.marks ?? [];
    const told = this.querySelector(".chart-notes");
    const [now] = this.notes();
    if (now && told) now.toggleAttribute("open", told.hasAttribute("open"));
    told?.remove();
    if (now) this.plot?.after(now);
  }

  /** Bands and marks as a list, for those who do not see them. */
  notes() {
    const { chart } = this;
    const told = [
      ...(chart?.bands ?? []).map((each) => ({ at: each.from, text: `${when(each.from)} – ${each.to == null ? word("chart.now") : when(each.to)}: ${each.label}`, href: "" })),
      ...(chart?.marks ?? []).map((each) => ({ at: each.at, text: `${when(each.at)}: ${each.label}`, href: each.href ?? "" })),
    ].sort((one, other) => one.at - other.at);
    if (!told.length) return [];
    const items = told.map(({ text, href }) => make("li", {}, href.startsWith("/") ? make("a", { href }, text) : text));
    return [make("details", { class: "chart-notes" }, make("summary", {}, word("chart.notes", { count: told.length })), make("ul", {}, ...items))];
  }
}

customElements.define("u-chart", UChart);
