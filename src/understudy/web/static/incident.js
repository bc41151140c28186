// The page of one incident by keyboard: e acknowledge, s silence. [ and ] are keys of every page.
// @ts-check

document.addEventListener("keydown", (event) => {
  const where = /** @type {HTMLElement} */ (event.target);
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || where.closest("input, textarea, select, dialog")) return;
  const part = { e: "acknowledge", s: "silence" }[event.key];
  const found = part && /** @type {HTMLElement | null} */ (document.querySelector(`[data-part="${part}"]`));
  if (!found) return;
  event.preventDefault();
  const comment = /** @type {HTMLInputElement | null} */ (document.querySelector("[data-part='comment']"));
  // A silence needs a reason: without one the key leads to where it is written.
  if (part === "silence" && comment && !comment.value.trim()) comment.focus();
  else found.click();
});
