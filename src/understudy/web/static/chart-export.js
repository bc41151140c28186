// What a reader may carry away from a chart: its picture, and its numbers.
// @ts-check

import { colour } from "./palette.js";

/** @typedef {import("./chart-options.js").Chart} Chart */

/**
 * Offer bytes as a download.
 * @param {Blob} content
 * @param {string} name
 */
export function offer(content, name) {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** @param {string} title */
const fileName = (title) => title.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80) || "chart";

/**
 * The chart as a picture, on its own ground and under its title.
 * @param {HTMLCanvasElement} painted
 * @param {Chart} chart
 */
export function picture(painted, chart) {
  const head = 28 * devicePixelRatio;
  const whole = document.createElement("canvas");
  whole.width = painted.width;
  whole.height = painted.height + head;
  const paint = whole.getContext("2d");
  if (!paint) return;
  paint.fillStyle = colour("panel");
  paint.fillRect(0, 0, whole.width, whole.height);
  paint.fillStyle = colour("text");
  paint.font = `600 ${13 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
  paint.fillText(chart.title, 10 * devicePixelRatio, 18 * devicePixelRatio, whole.width - 20 * devicePixelRatio);
  paint.drawImage(painted, 0, head);
  whole.toBlob((content) => content && offer(content, `${fileName(chart.title)}.png`), "image/png");
}

/**
 * One cell of a CSV file. A spreadsheet would take a text that begins with = + - @ for a formula.
 * @param {string | number | null} value
 */
export function cell(value) {
  if (value == null) return "";
  if (typeof value === "number") return String(value);
  const harmless = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n;]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/**
 * The numbers of the chart, one row for each time.
 * @param {Chart} chart
 */
export function numbers(chart) {
  const head = ["time", ...chart.series.map((each) => (chart.unit ? `${each.label} (${chart.unit})` : each.label))];
  const rows = chart.at.map((at, place) => [new Date(at * 1000).toISOString(), ...chart.series.map((each) => each.values[place] ?? null)]);
  const text = [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
  offer(new Blob([`${text}\r\n`], { type: "text/csv" }), `${fileName(chart.title)}.csv`);
}
