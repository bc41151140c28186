// <u-live>: whether what stands on the page is live, in one word; the button holds it still.
// @ts-check

import { live } from "./live.js";

const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

class LiveBadge extends HTMLElement {
  connectedCallback() {
    const word = this.querySelector(".word");
    if (!word) return;
    this.word = word;
    // The visible word counts seconds, which nobody wants read out: the state is told apart from it, when it changes.
    word.removeAttribute("role");
    this.said = document.createElement("span");
    this.said.setAttribute("role", "status");
    this.said.className = "seen-not";
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "quiet";
    this.button.append(...this.childNodes);
    this.button.addEventListener("click", () => live.state === "paused" ? live.resume() : live.pause());
    this.append(this.button, this.said);
    this.end = live.watch((state) => this.show(state));
  }

  disconnectedCallback() {
    this.end?.();
  }

  /** @param {import("./live.js").State} state */
  show(state) {
    if (!this.word || !this.said || !this.button) return;
    const before = this.dataset.state, now = state.state;
    this.word.textContent = this.text(state);
    this.button.disabled = now === "off" || now === "ended";
    this.button.setAttribute("aria-pressed", String(now === "paused"));
    const hint = this.dataset[now === "paused" ? "resume" : "pause"] ?? "";
    this.button.title = this.button.disabled ? "" : hint;
    document.documentElement.toggleAttribute("data-stale", now === "stale" || now === "ended");
    if (before === now) return;
    this.dataset.state = now;
    const news = now === "stale" || now === "ended" || now === "paused" || (now === "live" && before !== "off" && before !== "reconnecting");
    if (news) this.said.textContent = this.text(state);
  }

  /** @param {import("./live.js").State} state */
  text(state) {
    const words = this.dataset;
    switch (state.state) {
      case "live": return words.live ?? "";
      case "polling": return words.polling ?? "";
      case "paused": return words.paused ?? "";
      case "ended": return words.ended ?? "";
      case "stale": return (words.stale ?? "").replace("{time}", clock.format(state.since ?? 0));
      case "reconnecting": {
        const seconds = state.next === undefined ? 0 : Math.max(0, Math.ceil((state.next - Date.now()) / 1000));
        return (words.reconnecting ?? "").replace("{count}", String(seconds));
      }
      default: return words.off ?? "";
    }
  }
}

customElements.define("u-live", LiveBadge);
