// @ts-check
// Replaces parts of the page by what the server renders for another address, and keeps focus and history in order.

/** Where the pages are. */
export const base = document.documentElement.dataset.base ?? "";

/**
 * Asks for a part of a page.
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<{ok: boolean, status: number, content: DocumentFragment}>}
 */
export async function fragment(url, init = {}) {
  const response = await fetch(url, { ...init, headers: { ...init.headers, "X-Fragment": "1" }, credentials: "same-origin" });
  const template = document.createElement("template");
  const html = (response.headers.get("Content-Type") ?? "").startsWith("text/html");
  template.innerHTML = html ? await response.text() : "";
  return { ok: response.ok && html, status: response.status, content: template.content };
}

/** Says that parts of the page are new. */
export function announce() {
  document.dispatchEvent(new CustomEvent("gtf:new"));
}

/**
 * Shows a sentence at the edge: for a while, or if it is an error until it is clicked away.
 * @param {string | Element} what
 * @param {boolean} [error]
 */
export function toast(what, error = false) {
  let box = what;
  if (typeof box === "string") {
    const text = box;
    box = document.createElement("div");
    box.className = "toast";
    box.textContent = text;
  }
  const shown = box;
  if (error) shown.setAttribute("role", "alert");
  const close = document.createElement("button");
  close.type = "button";
  close.className = "bare";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "×";
  close.onclick = () => shown.remove();
  shown.append(close);
  document.getElementById("toasts")?.append(shown);
  if (!error) setTimeout(() => shown.remove(), 8000);
}

/**
 * What a problem says, in a line.
 * @param {DocumentFragment} content
 */
export function problemText(content) {
  return [...content.querySelectorAll("h2, p:not(:has(a))")].map((e) => e.textContent).join(". ").replaceAll("..", ".") || "The server did not answer as it should.";
}

/**
 * The id of what has focus, or of the button that opened the popover around it.
 * @returns {string}
 */
export function focusedId() {
  const active = document.activeElement;
  const around = active?.closest("[popover]");
  return around ? "b-" + around.id : active?.id ?? "";
}

/** @type {AbortController | undefined} */
let pending;

/**
 * Shows the list of an address.
 * @param {string} url
 * @param {"push" | "replace" | "keep"} history
 * @param {boolean} [top]
 */
export async function visit(url, history, top = false) {
  const list = document.getElementById("list");
  if (!list) {
    location.assign(url);
    return;
  }
  pending?.abort();
  const mine = (pending = new AbortController());
  const slow = setTimeout(() => list.setAttribute("aria-busy", "true"), 400);
  try {
    const got = await fragment(url, { signal: mine.signal });
    const fresh = got.content.getElementById("list");
    if (!fresh) {
      toast(problemText(got.content), true);
      return;
    }
    if (history === "push") window.history.pushState(null, "", url);
    if (history === "replace") window.history.replaceState(null, "", url);
    const focus = focusedId();
    list.replaceWith(fresh);
    settle(focus, top);
  } catch (error) {
    if (!mine.signal.aborted) toast("The server cannot be reached.", true);
  } finally {
    clearTimeout(slow);
    list.removeAttribute("aria-busy");
  }
}

/**
 * Puts back what belongs to the address, and focus.
 * @param {string} focus
 * @param {boolean} top
 */
function settle(focus, top) {
  const search = /** @type {HTMLInputElement | null} */ (document.getElementById("search"));
  if (search && document.activeElement !== search) search.value = new URLSearchParams(location.search).get("text") ?? "";
  for (const link of document.querySelectorAll("#rail li a")) {
    if (link.getAttribute("href") === location.pathname + location.search) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const field of document.querySelectorAll("#usermenu [name=return_to]")) {
    field.setAttribute("value", location.pathname + location.search);
  }
  if (focus && document.activeElement === document.body) (document.getElementById(focus) ?? document.getElementById("main"))?.focus({ preventScroll: true });
  if (top) scrollTo({ top: 0 });
  announce();
}

/**
 * The address that a form leads to.
 * @param {HTMLFormElement} form
 */
function addressOf(form) {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (typeof value === "string" && value.trim() !== "") query.append(name, value);
  }
  const text = query.toString();
  return new URL(form.action).pathname + (text ? "?" + text : "");
}

addEventListener("click", (event) => {
  const link = /** @type {Element} */ (event.target).closest?.("a[data-swap]");
  if (!(link instanceof HTMLAnchorElement) || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (!document.getElementById("list")) return;
  event.preventDefault();
  visit(link.getAttribute("href") ?? "", "push", link.dataset.swap === "top");
});

addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches("[data-swap]")) return;
  event.preventDefault();
  clearTimeout(typing);
  visit(addressOf(form), "push");
});

let typing = 0;
addEventListener("input", (event) => {
  const field = /** @type {HTMLInputElement} */ (event.target);
  if (field.id !== "search" || !field.form?.matches("[data-swap]") || field.value.trim().length === 1) return;
  clearTimeout(typing);
  typing = setTimeout(() => field.form && visit(addressOf(field.form), "replace"), 300);
});

addEventListener("popstate", () => visit(location.pathname + location.search, "keep"));
