// Numbers and times as people write them, in the reader's language: the same rules as the server's pages.
// @ts-check

const root = document.documentElement;
const lang = root.lang || "en";
/** The zone in which times are shown: the browser's own, or UTC where the reader chose that. */
export const zone = root.dataset.zone === "utc" ? "UTC" : undefined;
/** Stands where nothing was measured. */
export const NOTHING = "–";

/** @type {Map<number, Intl.NumberFormat>} */
const formats = new Map();

/**
 * 12345.6 -> 12,346
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function number(value, digits = 0) {
  if (value == null || !Number.isFinite(value)) return NOTHING;
  let format = formats.get(digits);
  if (!format) {
    format = new Intl.NumberFormat(lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
    formats.set(digits, format);
  }
  return format.format(value);
}

/**
 * 99.95 -> 99.9 %; never 100 while something failed.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function percent(value, digits = 1) {
  if (value == null || !Number.isFinite(value)) return NOTHING;
  const full = value < 100 && Number(value.toFixed(digits)) === 100;
  return `${number(full ? 100 - 10 ** -digits : value, digits)} %`;
}

/**
 * 0.0123 (seconds) -> 12 ms
 * @param {number | null | undefined} value
 */
export function latency(value) {
  if (value == null || !Number.isFinite(value)) return NOTHING;
  if (value < 0.001 && value > 0) return `${number(value * 1e6)} µs`;
  if (value < 0.9995) return `${number(value * 1e3, value < 0.01 && value > 0 ? 1 : 0)} ms`;
  return `${number(value, value < 10 ? 2 : 1)} s`;
}

/**
 * A value in the unit of a chart.
 * @param {number | null | undefined} value
 * @param {string} unit "s", "%", "/s", or another that is written behind the number
 */
export function measure(value, unit) {
  if (value == null) return NOTHING;
  if (unit === "s") return latency(value);
  if (unit === "%") return percent(value);
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${number(value, digits)}${unit ? ` ${unit}` : ""}`;
}

const full = new Intl.DateTimeFormat(lang === "en" ? "sv-SE" : lang, { dateStyle: "short", timeStyle: "medium", hourCycle: "h23", timeZone: zone });
const clock = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone });
const exact = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone });
const day = new Intl.DateTimeFormat(lang, { day: "2-digit", month: "short", timeZone: zone });

/**
 * Date and time of epoch seconds.
 * @param {number} at
 */
export function when(at) {
  return full.format(at * 1000);
}

/**
 * What an axis of time says at epoch seconds: days where its steps are days, seconds where they are seconds.
 * @param {number} at
 * @param {number} step seconds from one mark to the next
 */
export function tick(at, step) {
  return (step >= 86400 ? day : step < 60 ? exact : clock).format(at * 1000);
}
