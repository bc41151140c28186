// <u-rule>: the form of a rule shows what belongs to its kind, and what the rule would have told in the past.
// @ts-check

/** A pause in writing after which the past is looked at, ms. */
const PAUSE = 600;

class Rule extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.kind = /** @type {HTMLSelectElement | null} */ (this.querySelector("[name='kind']"));
    this.waiting = 0;
    this.number = 0;
    if (!this.form) return;
    /** Fields that somebody has been in: nobody is told of one that they have not come to yet. @type {Set<string>} */
    const seen = this.seen = new Set();
    this.form.addEventListener("input", () => { this.fit(); this.soon(); });
    this.form.addEventListener("focusout", (event) => {
      const { name, value } = /** @type {HTMLInputElement} */ (event.target);
      if (!name || seen.has(name)) return;
      seen.add(name);
      if (!value) this.soon();
    });
    this.fit();
    this.soon();
  }

  disconnectedCallback() {
    clearTimeout(this.waiting);
    this.running?.abort();
  }

  /** Hide what other kinds of rules have. */
  fit() {
    const kind = this.kind?.value ?? "";
    for (const each of this.querySelectorAll("[data-kinds]")) {
      const mine = (each.getAttribute("data-kinds") ?? "").split(" ").includes(kind);
      /** @type {HTMLElement} */ (each).hidden = !mine;
    }
  }

  soon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => void this.look(), PAUSE);
  }

  async look() {
    if (!this.form) return;
    this.running?.abort();
    const running = this.running = new AbortController();
    const body = new URLSearchParams();
    // Those who may only read have disabled fields, which a form leaves out.
    for (const each of this.form.elements) {
      const field = /** @type {HTMLInputElement} */ (each);
      if (!field.name || field.type === "submit" || (field.type === "checkbox" && !field.checked)) continue;
      body.append(field.name, field.value);
    }
    body.append("base", this.dataset.base ?? "");
    this.say("sentence", this.dataset.working ?? "");
    try {
      const answer = await fetch(this.dataset.preview ?? "", { method: "POST", body, signal: running.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      this.show(await answer.json());
    } catch {
      if (!running.signal.aborted) this.say("sentence", this.dataset.failed ?? "");
    }
  }

  /** @param {{faults: Record<string, string>, sentence?: string, note?: string, chart?: object | null}} told */
  show(told) {
    let first = "";
    for (const each of this.querySelectorAll("[data-fault]")) {
      const name = each.getAttribute("data-fault") ?? "";
      const field = /** @type {HTMLInputElement | null} */ (this.querySelector(`[name="${CSS.escape(name)}"]`));
      const fault = !field || field.value || this.seen?.has(name) ? told.faults[name] ?? "" : "";
      each.textContent = fault;
      if (fault) first ||= fault;
      if (fault) field?.setAttribute("aria-invalid", "true");
      else field?.removeAttribute("aria-invalid");
    }
    this.say("sentence", told.sentence ?? (first || (this.dataset.lacking ?? "")));
    this.say("note", told.note ?? "");
    this.querySelector("[data-part='episodes']")?.remove();
    const place = this.querySelector("[data-part='chart']");
    if (!place) return;
    place.replaceChildren();
    if (!told.chart) return;
    const chart = /** @type {HTMLElement & {chart?: object}} */ (document.createElement("u-chart"));
    chart.dataset.height = "220";
    chart.chart = told.chart;
    place.append(chart);
  }

  /**
   * @param {string} part
   * @param {string} text
   */
  say(part, text) {
    const found = this.querySelector(`[data-part="${part}"]`);
    if (found) found.textContent = text;
  }
}

customElements.define("u-rule", Rule);
