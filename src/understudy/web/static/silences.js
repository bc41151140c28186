// The form of a silence: only the fields of the chosen end are shown; the zone is the reader's own at first.
// @ts-check

const form = document.querySelector("[data-part='silence']");

function fit() {
  const chosen = /** @type {HTMLInputElement | null} */ (form?.querySelector("[name='until']:checked"))?.value ?? "";
  for (const each of form?.querySelectorAll("[data-until]") ?? []) {
    /** @type {HTMLElement} */ (each).hidden = !(each.getAttribute("data-until") ?? "").split(" ").includes(chosen);
  }
}

form?.addEventListener("change", fit);
fit();
const zone = /** @type {HTMLInputElement | null} */ (document.querySelector("#zone"));
if (zone && zone.value === "UTC" && !location.hash) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
