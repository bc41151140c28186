// How uPlot is set up for our charts: from zero, gaps as gaps, one line of times, bands and marks behind the lines.
// @ts-check

import { colour, mixed, thinned } from "./palette.js";
import { measure, tick } from "./units.js";

/**
 * @typedef {{label: string, values: (number | null)[], kind?: "line" | "area" | "bar", dash?: boolean,
 *   tone?: string, field?: string}} Series
 * @typedef {{from: number, to: number | null, label: string, state?: string}} Band
 * @typedef {{at: number, label: string, kind?: string, href?: string}} Mark
 * @typedef {{title: string, unit: string, at: number[], series: Series[], bands?: Band[], marks?: Mark[],
 *   live?: string | null, brush?: string | null, stack?: boolean, min?: number, group?: string, step?: number}} Chart
 */

const DASHES = [[], [6, 4], [2, 3], [10, 4, 2, 4], [1, 4]];
/** Which token a state is painted with. */
const TONES = {
  critical: "down", down: "down", open: "down", firing: "down", warning: "degraded", degraded: "degraded",
  half_open: "degraded", healthy: "ok", ok: "ok", paused: "paused", maintenance: "paused",
};

/**
 * The token of a series: two hues, then again with other dashes, so that colour never stands alone.
 * @param {Series} series
 * @param {number} place
 */
export function tone(series, place) {
  return series.tone ?? (place % 2 ? "series-2" : "series-1");
}

/**
 * @param {Series} series
 * @param {number} place
 */
export function dashes(series, place) {
  if (series.dash === false || (series.tone && !series.dash)) return [];
  return DASHES[series.dash && place === 0 ? 1 : place % DASHES.length];
}

/**
 * The values as they are drawn: of a stack, each series on top of those before it.
 * @param {Chart} chart
 */
export function columns(chart) {
  if (!chart.stack) return [chart.at, ...chart.series.map((each) => each.values)];
  /** @type {number[]} */
  const sums = chart.at.map(() => 0);
  const layers = chart.series.map((each) =>
    each.values.map((value, place) => (value == null ? null : (sums[place] += value))));
  return [chart.at, ...layers.reverse()];
}

/**
 * The series of the chart in the order in which they are drawn; the highest layer of a stack comes first.
 * @param {Chart} chart
 */
export function drawn(chart) {
  return chart.stack ? [...chart.series].reverse() : chart.series;
}

/**
 * Points that no line reaches, as both neighbours are missing.
 * @param {(number | null | undefined)[]} values
 */
function alone(values) {
  /** @type {number[]} */
  const found = [];
  for (let place = 0; place < values.length; place++) {
    if (values[place] != null && values[place - 1] == null && values[place + 1] == null) found.push(place);
  }
  return found;
}

/**
 * @param {Chart} chart
 * @param {number} width CSS pixels
 * @param {number} height CSS pixels
 * @param {Record<string, any>} hooks
 */
export function options(chart, width, height, hooks) {
  const small = height < 110;
  const axis = { stroke: () => colour("muted"), font: `11px ${getComputedStyle(document.body).fontFamily}` };
  const grid = { stroke: () => colour("line"), width: 1 };
  return {
    width, height, padding: [8, room(chart), 0, 0], legend: { show: false },
    cursor: { drag: { x: true, y: false, dist: 5 }, points: { size: 7 }, ...(chart.group ? { sync: { key: chart.group } } : {}) },
    scales: { x: { time: true }, y: { range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => reach(chart, low, high) } },
    axes: [
      {
        ...axis, grid, ticks: { show: false }, size: 22, space: 70, gap: 4,
        values: (/** @type {any} */ _, /** @type {number[]} */ at, /** @type {any} */ __, /** @type {any} */ ___, /** @type {number} */ step) =>
          at.map((each) => tick(each, step)),
      },
      {
        ...axis, grid, ticks: { show: false }, size: 58, space: small ? 26 : 34, gap: 4,
        values: (/** @type {any} */ _, /** @type {number[]} */ values) => values.map((each) => measure(each, chart.unit)),
      },
    ],
    series: [{}, ...drawn(chart).map((each) => line(chart, each))],
    hooks,
  };
}

/**
 * Whether names stand behind the last values: where there are too many lines for two hues.
 * @param {Chart} chart
 */
function named(chart) {
  return chart.series.length > 2 && chart.series.every((each) => each.kind !== "bar");
}

/**
 * Room behind the last values, CSS pixels: for half of the last time, or for the names.
 * @param {Chart} chart
 */
function room(chart) {
  if (!named(chart)) return 26;
  return Math.min(Math.max(26, 10 + 6.5 * Math.max(...chart.series.map((each) => each.label.length))), 140);
}

/**
 * From zero (or the chart's own least value) to a round number above the highest.
 * @param {Chart} chart
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]}
 */
function reach(chart, low, high) {
  const least = chart.min ?? Math.min(0, low ?? 0);
  if (chart.unit === "%" && (high ?? 0) <= 100) return [least, 100];
  if (high == null || high <= least) return [least, least + (chart.unit === "s" ? 0.1 : 1)];
  return [least, uPlot.rangeNum(least, high, 0.1, true)[1] ?? high];
}

/**
 * @param {Chart} chart
 * @param {Series} series
 */
function line(chart, series) {
  const place = chart.series.indexOf(series);
  const token = tone(series, place);
  const filled = chart.stack || series.kind === "area" || series.kind === "bar";
  return {
    label: series.label, width: 1.5, dash: dashes(series, place), stroke: () => colour(token),
    fill: !filled ? undefined : () => (chart.stack ? mixed(token, 0.6) : thinned(token, series.kind === "bar" ? 0.7 : 0.16)),
    paths: series.kind === "bar" ? uPlot.paths.bars?.({ size: [0.8, 28], gap: 0 }) : undefined,
    points: { show: false, size: 5, filter: (/** @type {any} */ u, /** @type {number} */ at) => alone(u.data[at]) },
  };
}

/**
 * Paint bands and marks below the lines.
 * @param {any} u
 * @param {Chart} chart
 */
export function paintNotes(u, chart) {
  const { left, top, width, height } = u.bbox;
  const paint = u.ctx;
  const x = (/** @type {number} */ at) => Math.min(Math.max(u.valToPos(at, "x", true), left), left + width);
  paint.save();
  for (const band of chart.bands ?? []) {
    const begin = x(band.from);
    const end = x(band.to ?? u.scales.x.max);
    if (end <= left || begin >= left + width) continue;
    const token = TONES[/** @type {keyof typeof TONES} */ (band.state ?? "")] ?? "unknown";
    paint.fillStyle = thinned(token, 0.13);
    paint.fillRect(begin, top, Math.max(end - begin, 2), height);
    paint.fillStyle = colour(token);
    paint.fillRect(begin, top, Math.max(end - begin, 2), 3 * devicePixelRatio);
  }
  paint.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const mark of chart.marks ?? []) {
    if (mark.at < u.scales.x.min || mark.at > u.scales.x.max) continue;
    const at = Math.round(x(mark.at)) + 0.5;
    paint.strokeStyle = colour("muted");
    paint.fillStyle = colour("text");
    paint.beginPath();
    paint.moveTo(at, top);
    paint.lineTo(at, top + height);
    paint.stroke();
    const size = 4 * devicePixelRatio;
    paint.beginPath();
    paint.moveTo(at - size, top - size);
    paint.lineTo(at + size, top - size);
    paint.lineTo(at, top + size);
    paint.fill();
  }
  paint.restore();
}

/**
 * Write the name of each series behind its last value, where there are too many for two hues.
 * @param {any} u
 * @param {Chart} chart
 */
export function paintNames(u, chart) {
  if (!named(chart)) return;
  const { left, width } = u.bbox;
  const paint = u.ctx;
  paint.save();
  paint.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
  paint.textBaseline = "middle";
  paint.textAlign = "left";
  const gap = 12 * devicePixelRatio;
  let above = -Infinity;
  const ends = drawn(chart).map((series, place) => {
    const values = u.data[place + 1];
    const last = values.findLast((/** @type {number | null} */ each) => each != null);
    return { series, shown: u.series[place + 1].show && last != null, y: u.valToPos(last ?? 0, "y", true) };
  });
  for (const { series, shown, y } of ends.sort((one, other) => one.y - other.y)) {
    if (!shown) continue;
    above = Math.max(y, above + gap);
    paint.fillStyle = colour(tone(series, chart.series.indexOf(series)));
    paint.fillText(series.label, left + width + 4 * devicePixelRatio, above, (room(chart) - 6) * devicePixelRatio);
  }
  paint.restore();
}
