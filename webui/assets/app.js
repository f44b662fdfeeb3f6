// @ts-check
// Where the script begins, and the small things: theme, copying, popovers.

import { base, fragment, toast } from "./swap.js";
import "./dialog.js";
import "./live.js";

// Theme: without loading the page anew.
addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  const chosen = /** @type {HTMLButtonElement | null} */ (event.submitter);
  if (!form.matches("[data-theme-form]") || !chosen) return;
  event.preventDefault();
  document.cookie = `gtf_theme=${chosen.value}; path=${base}/; max-age=31536000; samesite=lax`;
  document.documentElement.dataset.theme = chosen.value;
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button === chosen));
});

// Copying: buttons appear, because there is a script.
function showCopy() {
  for (const button of document.querySelectorAll("[data-copy][hidden]")) button.removeAttribute("hidden");
}
document.addEventListener("gtf:new", showCopy);
showCopy();

/** @param {string} text @returns {Promise<boolean>} */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // There is no clipboard without TLS: select, and copy as of old.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "vh";
    const dialog = document.activeElement?.closest("[popover], dialog") ?? document.body;
    const focus = /** @type {HTMLElement | null} */ (document.activeElement);
    dialog.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focus?.focus();
    return done;
  }
}

addEventListener("click", async (event) => {
  const button = /** @type {Element} */ (event.target).closest?.("[data-copy]");
  if (!(button instanceof HTMLElement)) return;
  const of = button.dataset.copy ?? "";
  const source = /** @type {HTMLElement | null} */ (of === "link" ? null : document.querySelector(of));
  const label = button.querySelector("span");
  if (!(await copy(of === "link" ? location.href : source?.innerText ?? ""))) {
    toast("Your browser does not let pages copy. Select the text and copy it yourself.", true);
  } else if (label && label.textContent !== "Copied") {
    const before = label.textContent;
    label.textContent = "Copied";
    setTimeout(() => (label.textContent = before), 2000);
  }
});

// Popovers: long ones are fetched when they are opened; focus goes back to a button that was replaced in the meantime.
document.addEventListener("toggle", async (event) => {
  const popover = /** @type {HTMLElement} */ (event.target);
  if (!popover.matches?.("[popover]")) return;
  if (/** @type {ToggleEvent} */ (event).newState === "closed") {
    if (document.activeElement === document.body) document.getElementById("b-" + popover.id)?.focus();
    return;
  }
  const from = popover.dataset.peek;
  if (!from) return;
  try {
    const got = await fragment(from);
    if (!got.ok) return; // what is there stays
    popover.replaceChildren(got.content);
    showCopy();
  } catch {
    // The beginning is there already, and a link to all of it.
  }
}, true);
