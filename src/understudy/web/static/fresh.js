// Parts of a page that the server writes, written anew: the page is read once more, and what says something else is
// put in the place of what it said before.
// @ts-check

import { localTimes } from "./times.js";

/**
 * The page as it is now. It is read as a document, in which no script runs; no text becomes markup here.
 * @returns {Promise<Document | null>}
 */
function reread() {
  return new Promise((done) => {
    const ask = new XMLHttpRequest();
    ask.open("GET", location.href);
    ask.responseType = "document";
    ask.timeout = 10_000;
    ask.onload = () => done(ask.status === 200 ? ask.response : null);
    ask.onerror = ask.ontimeout = () => done(null);
    ask.send();
  });
}

/**
 * Whether the reader is just there, with the keyboard or a selection: then it stays as it is for now.
 * @param {Element} part
 */
function busy(part) {
  const picked = getSelection();
  return part.contains(document.activeElement) || (picked !== null && !picked.isCollapsed && part.contains(picked.anchorNode));
}

/**
 * Write every `[data-fresh]` below an element anew where it says something else now.
 * @param {ParentNode} root
 */
export async function renew(root) {
  const now = await reread();
  if (!now) return; // the badge of the frame tells that nothing is heard
  for (const part of root.querySelectorAll("[data-fresh]")) {
    const name = part.getAttribute("data-fresh") ?? "";
    const told = now.querySelector(`[data-fresh="${CSS.escape(name)}"]`);
    if (!told) continue;
    localTimes(told);
    if (told.textContent === part.textContent || busy(part)) continue;
    for (const [place, open] of part.querySelectorAll("details").entries()) {
      told.querySelectorAll("details")[place]?.toggleAttribute("open", open.open);
    }
    part.replaceWith(document.adoptNode(told));
  }
}
