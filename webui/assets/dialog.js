// @ts-check
// The cancel dialog: fetched when it is opened, removed when it is closed.

import { announce, fragment, problemText, toast } from "./swap.js";
import { refresh } from "./live.js";

/** @param {string} href @param {string} opener */
async function open(href, opener) {
  if (document.querySelector("dialog")) return;
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "ask");
  document.body.append(dialog); // now, so that a second click opens no second one
  try {
    const got = await fragment(href);
    if (!got.ok) throw new Error(problemText(got.content));
    dialog.append(got.content);
  } catch (error) {
    dialog.remove();
    toast(error instanceof Error ? error.message : String(error), true);
    return;
  }
  const id = dialog.querySelector("form")?.dataset.cancel ?? "";
  dialog.dataset.task = id;
  dialog.addEventListener("close", () => {
    const row = document.getElementById("task-" + id);
    dialog.remove();
    focusOn(opener, row);
    announce(); // what was held back may be shown now
  });
  dialog.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target === dialog || target.closest("[data-close]")) dialog.close();
  });
  dialog.addEventListener("submit", (event) => {
    event.preventDefault();
    send(dialog, /** @type {HTMLFormElement} */ (event.target), id);
  });
  dialog.showModal();
}

/**
 * Puts focus back, or beside where it was.
 * @param {string} opener
 * @param {Element | null} row
 */
function focusOn(opener, row) {
  const beside = row?.querySelector("a.name") ?? document.querySelector("#rows a.name") ?? document.getElementById("main");
  const target = document.getElementById(opener) ?? beside;
  if (target instanceof HTMLElement) target.focus();
}

/** @param {HTMLDialogElement} dialog @param {HTMLFormElement} form @param {string} id */
async function send(dialog, form, id) {
  const confirm = form.querySelector("button.danger");
  if (!confirm || confirm.getAttribute("aria-busy") === "true") return;
  confirm.setAttribute("aria-busy", "true");
  const body = new URLSearchParams();
  for (const [name, value] of new FormData(form)) body.append(name, String(value));
  try {
    const got = await fragment(form.action, { method: "POST", body });
    if (got.ok) {
      const said = got.content.firstElementChild;
      if (said) toast(said);
      dialog.close();
    } else if (got.content.querySelector("form")) {
      dialog.replaceChildren(got.content);
      /** @type {HTMLElement | null} */ (dialog.querySelector("[data-close]"))?.focus();
    } else {
      dialog.close();
      toast(problemText(got.content), true);
    }
    refresh([id], true);
  } catch {
    confirm.removeAttribute("aria-busy");
    complain(form, "The server cannot be reached. Nothing is known to have been done.");
  }
}

/** @param {HTMLFormElement} form @param {string} text */
function complain(form, text) {
  form.querySelector(".alert")?.remove();
  const alert = document.createElement("p");
  alert.className = "alert";
  alert.setAttribute("role", "alert");
  alert.textContent = text;
  form.querySelector(".end")?.before(alert);
}

// Enter on the box would be as good as a click on the first button.
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && /** @type {Element} */ (event.target).matches?.("form.cancel input")) event.preventDefault();
});

addEventListener("click", (event) => {
  const link = /** @type {Element} */ (event.target).closest?.("a[data-dialog]");
  if (!(link instanceof HTMLAnchorElement) || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open(link.href, link.id);
});
