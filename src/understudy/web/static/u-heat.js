// <u-heat>: every API over time on one canvas. Only the rows in view are painted; arrows move a cursor that speaks.
// @ts-check

import { live } from "./live.js";
import { colour, onTheme, thinned } from "./palette.js";
import { number, when } from "./units.js";
import { make, word } from "./words.js";

/**
 * A row of the picture: a heading of a hub, or an API with one sign for each slice.
 * @typedef {{hub: string, count: number, about: string, name?: undefined, signs?: undefined} |
 *   {name: string, state: string, signs: string, hub: string}} Row
 */

const LABEL = 150, LINE = 18;
/** How each sign is painted: its token, how much of it, and how high, so that colour never stands alone. */
const LOOKS = { 0: ["ok", 0.45, 0.35], 1: ["degraded", 0.45, 0.5], 2: ["degraded", 1, 0.65], 3: ["down", 0.7, 0.85], 4: ["down", 1, 1] };
/** More APIs than this: hubs without any trouble are folded. */
const MANY = 40;

class UHeat extends HTMLElement {
  async connectedCallback() {
    /** @type {{start: number, step: number, count: number, groups: {hub: string, rows: [string, string, string][]}[]}} */
    this.picture = { start: 0, step: 60, count: 60, groups: [] };
    /** @type {Set<string>} */ this.open = new Set();
    /** @type {Set<string>} */ this.troubled = new Set();
    /** @type {Row[]} */ this.rows = [];
    /** @type {number} */ this.row = 0;
    await this.load();
    if (this.dataset.every) this.timer = setInterval(() => document.hidden || live.state === "paused" || this.load(), Number(this.dataset.every) * 1000);
  }

  disconnectedCallback() {
    this.stop?.();
    this.endTheme?.();
    clearInterval(this.timer);
  }

  async load() {
    try {
      const answer = await fetch(this.dataset.src ?? "", { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
      this.picture = await answer.json();
    } catch (error) {
      if (this.view) return; // what was read before stays, and the badge says that nothing is heard
      const reason = error instanceof Error ? error.message : String(error);
      this.replaceChildren(make("p", { class: "notice", "data-state": "fault", role: "status" }, word("heat.failed", { reason, seconds: 5 })));
      setTimeout(() => this.isConnected && this.load(), 5000);
      return;
    }
    if (this.view) this.arrange(); else this.build();
  }

  build() {
    /** @type {number} */ this.column = (this.picture?.count ?? 1) - 1;
    const count = this.picture?.groups.reduce((sum, group) => sum + group.rows.length, 0) ?? 0;
    if (count <= MANY) for (const group of this.picture?.groups ?? []) this.open?.add(group.hub);
    this.canvas = /** @type {HTMLCanvasElement} */ (make("canvas", { "aria-hidden": "true" }));
    this.space = make("div", {}, this.canvas);
    this.view = make("div", { class: "heat-view", tabindex: "0", role: "group", "aria-label": word("heat.title"), "aria-describedby": "heat-read" }, this.space);
    this.read = make("p", { class: "heat-read", id: "heat-read", role: "status" }, word("heat.keys"));
    this.replaceChildren(this.view, this.read, key());
    this.arrange();
    this.view.addEventListener("scroll", () => this.paint(), { passive: true });
    this.view.addEventListener("pointermove", (event) => this.point(event));
    this.view.addEventListener("click", (event) => { this.point(event); this.enter(); });
    this.view.addEventListener("keydown", (event) => this.key(event));
    this.view.addEventListener("focus", () => this.tell());
    new ResizeObserver(() => this.paint()).observe(this.view);
    this.endTheme = onTheme(() => { this.querySelector(".heat-key")?.replaceWith(key()); this.paint(); });
    this.stop = this.dataset.topic ? live.on(this.dataset.topic, (data) => this.take(data)) : undefined;
  }

  /** Which rows there are, hubs with trouble first. */
  arrange() {
    const { picture, open, troubled } = this;
    if (!picture || !open || !troubled || !this.space) return;
    // A hub whose trouble begins is unfolded; whoever folds it then keeps it folded.
    for (const { hub, rows } of picture.groups) {
      if (fine(rows)) troubled.delete(hub);
      else if (!troubled.has(hub)) { troubled.add(hub); open.add(hub); }
    }
    const alone = picture.groups.length === 1 && !picture.groups[0].hub;
    this.rows = picture.groups.flatMap((group) => {
      const apis = group.rows.map(([name, state, signs]) => ({ name, state, signs: signs || ".".repeat(picture.count), hub: group.hub }));
      if (alone) return apis;
      const about = word(`heat.${open.has(group.hub) || !fine(group.rows) ? "group" : idle(group.rows) ? "idle" : "folded"}`, { count: number(apis.length) });
      return [{ hub: group.hub, count: apis.length, about }, ...(open.has(group.hub) ? apis : [])];
    });
    this.space.style.blockSize = `${Math.max(this.rows.length * LINE, LINE)}px`;
    this.row = Math.min(this.row ?? 0, Math.max(0, this.rows.length - 1));
    this.paint();
  }

  paint() {
    const { canvas, view, rows } = this;
    if (!canvas || !view || !rows) return;
    const ratio = devicePixelRatio;
    const width = view.clientWidth, height = Math.min(view.clientHeight, rows.length * LINE);
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.blockSize = `${height}px`;
    }
    const paint = canvas.getContext("2d");
    if (!paint) return;
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint.clearRect(0, 0, width, height);
    const first = Math.floor(view.scrollTop / LINE), shift = first * LINE - view.scrollTop;
    const slice = (width - LABEL) / (this.picture?.count ?? 60), font = getComputedStyle(this).fontFamily;
    paint.textBaseline = "middle";
    for (let place = first; place < Math.min(rows.length, first + Math.ceil(height / LINE) + 1); place++) {
      this.line(paint, rows[place], (place - first) * LINE + shift, slice, font);
    }
    if (document.activeElement === view) {
      paint.strokeStyle = colour("accent");
      paint.lineWidth = 2;
      paint.strokeRect(LABEL + (this.column ?? 0) * slice - 1, ((this.row ?? 0) - first) * LINE + shift, slice + 2, LINE);
    }
  }

  /** @param {CanvasRenderingContext2D} paint @param {Row} row @param {number} top @param {number} slice @param {string} font */
  line(paint, row, top, slice, font) {
    if (row.name === undefined) {
      paint.font = `600 12px ${font}`;
      paint.fillStyle = colour("text");
      paint.fillText(`${this.open?.has(row.hub) ? "▾" : "▸"} ${row.hub || word("heat.alone")} · ${row.about}`, 0, top + LINE / 2);
      return;
    }
    paint.font = `12px ${font}`;
    paint.fillStyle = colour("muted");
    paint.fillText(clipped(paint, row.name, LABEL - 12), 0, top + LINE / 2);
    for (let place = 0; place < row.signs.length; place++) {
      const look = LOOKS[/** @type {0} */ (/** @type {unknown} */ (row.signs[place]))];
      if (!look) continue;
      const [token, share, part] = /** @type {[string, number, number]} */ (look);
      const high = (LINE - 3) * part;
      paint.fillStyle = thinned(token, share);
      paint.fillRect(LABEL + place * slice, top + LINE - 1 - high, Math.max(1, slice - 1), high);
    }
  }

  /**
   * Take the two newest signs of every API in; `""` says when the newest slice began.
   * @param {Record<string, any>} data
   */
  take(data) {
    const { picture } = this;
    if (!picture || !data[""]) return;
    const begun = data[""] - (picture.count - 1) * picture.step;
    const steps = Math.min(picture.count, Math.max(0, Math.round((begun - picture.start) / picture.step)));
    picture.start += steps * picture.step;
    for (const group of picture.groups) {
      for (const row of group.rows) {
        const [name, , signs] = row;
        const fresh = data[name];
        if (!signs && !fresh) continue;
        const moved = (signs || ".".repeat(picture.count)).slice(steps) + ".".repeat(steps);
        row[2] = fresh ? moved.slice(0, -2) + fresh : moved;
      }
    }
    this.arrange();
  }

  /** @param {PointerEvent | MouseEvent} event */
  point(event) {
    const { canvas, view, rows } = this;
    if (!canvas || !view || !rows || !this.picture) return;
    const box = canvas.getBoundingClientRect();
    this.row = Math.min(Math.max(Math.floor((event.clientY - box.top + view.scrollTop) / LINE), 0), rows.length - 1);
    this.column = Math.min(Math.max(Math.floor((event.clientX - box.left - LABEL) / ((box.width - LABEL) / this.picture.count)), 0), this.picture.count - 1);
    this.tell();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = this.row ?? 0, column = this.column ?? 0;
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0], PageDown: [10, 0], Home: [0, -999], End: [0, 999] };
    const move = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (move) {
      this.row = Math.min(Math.max(row + move[0], 0), (this.rows?.length ?? 1) - 1);
      this.column = Math.min(Math.max(column + move[1], 0), (this.picture?.count ?? 60) - 1);
      const top = this.row * LINE;
      if (this.view && (top < this.view.scrollTop || top + LINE > this.view.scrollTop + this.view.clientHeight)) this.view.scrollTop = top - this.view.clientHeight / 2;
      this.tell();
    } else if (event.key === "Enter" || event.key === " ") this.enter();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Say what stands under the cursor. */
  tell() {
    const row = this.rows?.[this.row ?? 0];
    if (!row || !this.read || !this.picture) return;
    if (row.name === undefined) this.read.textContent = `${row.hub || word("heat.alone")}: ${row.about}`;
    else {
      const sign = row.signs[this.column ?? 0];
      this.read.textContent = `${row.name} · ${when(this.picture.start + (this.column ?? 0) * this.picture.step)} · ${word(sign === "." ? "heat.none" : `heat.${sign}`)}`;
    }
    this.paint();
  }

  /** Open the API around that time, or fold and unfold a hub. */
  enter() {
    const row = this.rows?.[this.row ?? 0];
    if (!row || !this.picture) return;
    if (row.name === undefined) {
      if (this.open?.has(row.hub)) this.open.delete(row.hub); else this.open?.add(row.hub);
      this.arrange();
      return;
    }
    location.assign(`/apis/${encodeURIComponent(row.name)}`);
  }
}

/** @param {[string, string, string][]} rows */
const fine = (rows) => rows.every(([, state, signs]) => state !== "down" && state !== "degraded" && !/[234]/.test(signs));

/**
 * Whether nothing was called: then nobody knows whether it is fine.
 * @param {[string, string, string][]} rows
 */
const idle = (rows) => rows.every(([, , signs]) => !/[0-4]/.test(signs));

/** What the signs mean. */
function key() {
  const items = Object.entries(LOOKS).map(([sign, [token, share, part]]) => {
    const sample = document.createElement("i");
    sample.style.background = thinned(String(token), Number(share));
    sample.style.blockSize = `${Number(part) * 14}px`;
    return make("span", {}, sample, word(`heat.${sign}`));
  });
  return make("p", { class: "heat-key" }, ...items);
}

/** @param {CanvasRenderingContext2D} paint @param {string} text @param {number} width */
function clipped(paint, text, width) {
  if (paint.measureText(text).width <= width) return text;
  let length = Math.min(text.length, 40);
  while (length > 1 && paint.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}

customElements.define("u-heat", UHeat);
