// @ts-check
// Keeps what is shown up to date: one stream of events for all tabs of a browser, rows replaced one by one, clocks.

import { announce, base, focusedId, fragment } from "./swap.js";

const root = document.documentElement;
const api = root.dataset.api; // missing: nothing here changes
const label = document.getElementById("live");
const pauseButton = document.getElementById("pause");

// ---- Clocks: from the server's numbers and measured time, never from the clock of this machine.

/** @type {WeakMap<Element, number>} */
const seen = new WeakMap();
const units = /** @type {const} */ ([[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]]);

/** @param {number} ms */
function durationText(ms) {
  const s = Math.floor(ms / 1000);
  for (let i = 0; i < units.length; i++) {
    const [size, name] = units[i];
    if (s < size) continue;
    const rest = i + 1 < units.length ? Math.floor((s % size) / units[i + 1][0]) : 0;
    return Math.floor(s / size) + name + (rest > 0 ? ` ${rest}${units[i + 1][1]}` : "");
  }
  return "<1s";
}

/** @param {number} ms */
function agoText(ms) {
  const largest = durationText(Math.abs(ms)).split(" ")[0];
  if (Math.abs(ms) < 1000) return "now";
  return ms < 0 ? "in " + largest : largest + " ago";
}

function tick() {
  const now = performance.now();
  for (const each of document.querySelectorAll("[data-run], [data-eta], [data-age]")) {
    const e = /** @type {HTMLElement} */ (each);
    let since = seen.get(e);
    if (since === undefined) {
      seen.set(e, (since = now));
      if (e instanceof HTMLTimeElement) e.title = new Date(e.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" }) + "\n" + e.title;
    }
    const passed = now - since;
    const { run, eta, age } = e.dataset;
    let text = "";
    if (run) text = durationText(Number(run) + passed);
    else if (eta) text = Number(eta) > passed ? "ETA " + durationText(Number(eta) - passed) : "";
    else text = agoText(Number(age) + passed);
    if (e.textContent !== text) e.textContent = text;
  }
}

// ---- What has changed, and when it is shown.

/** @type {Set<string>} */
const dirty = new Set();
let paused = false, ended = false, checkNew = false, timer = 0, lastFlush = 0, flushing = false;

const list = () => document.getElementById("list");
const detail = () => document.getElementById("detail");

/** @returns {string[]} */
const shownIds = () => {
  const task = detail()?.dataset.task;
  return task ? [task] : [...document.querySelectorAll("#rows > tr[id]")].map((row) => row.id.slice(5));
};

/**
 * Asks for tasks again, whatever their version.
 * @param {string[]} ids
 * @param {boolean} [everywhere] also in other tabs, which no event tells that one has left a task
 */
export function refresh(ids, everywhere = false) {
  for (const id of ids) if (shownIds().includes(id)) dirty.add(id);
  if (everywhere) channel?.postMessage({ kind: "refresh", ids });
  schedule(0);
}

/** @param {number} [wait] */
function schedule(wait = 500) {
  clearTimeout(timer);
  timer = setTimeout(flush, Math.max(wait, lastFlush + 500 - performance.now()));
}

/** @param {{id: string, version: number}} news */
function hear({ id, version }) {
  const row = document.getElementById("task-" + id);
  if (row ? version > Number(row.dataset.version) : detail()?.dataset.task === id) dirty.add(id);
  else if (!row && list()?.dataset.newest && isNewer(id)) checkNew = true;
  else return;
  show();
  if (!timer) schedule(); // what comes until then is asked for together
}

/**
 * Ids sort by the time they were made.
 * @param {string} id
 */
const isNewer = (id) => shownIds().every((other) => id > other);

async function flush() {
  timer = 0;
  if (ended || flushing || document.hidden || (dirty.size === 0 && !checkNew)) return;
  const open = /** @type {HTMLElement | null} */ (document.querySelector("dialog[open]"));
  const ids = [...dirty].filter((id) => (open ? open.dataset.task === id : !paused) && !isSelected(id)).slice(0, 100);
  const look = checkNew && !paused && !open;
  if (ids.length === 0 && !look) return;
  flushing = true;
  lastFlush = performance.now();
  if (look) checkNew = false;
  for (const id of ids) dirty.delete(id);
  try {
    if (ids.length > 0) await (detail() ? refreshDetail() : refreshRows(ids));
    if (look) await refreshPill();
    answered();
  } catch (error) {
    for (const id of ids) dirty.add(id);
    if (error instanceof Error && ["401", "403", "404"].includes(error.message)) end();
    else unanswered();
  } finally {
    flushing = false;
    show();
    if (dirty.size > 0 || checkNew) schedule(1000);
  }
}

/**
 * Tells whether text of a row is selected, which a new row would undo.
 * @param {string} id
 */
function isSelected(id) {
  const selection = getSelection();
  const part = document.getElementById("task-" + id) ?? detail();
  return !!selection && !selection.isCollapsed && !!part && selection.rangeCount > 0 && selection.getRangeAt(0).intersectsNode(part);
}

/** @param {string[]} ids */
async function refreshRows(ids) {
  const view = list()?.dataset.view ?? "";
  const got = await fragment(`${base}/tasks/rows?${view}${view ? "&" : ""}ids=${ids.join(",")}`);
  if (!got.ok) throw new Error(String(got.status));
  const gone = [];
  for (const fresh of [...got.content.querySelectorAll("tr[id]")]) {
    const row = /** @type {HTMLElement | null} */ (document.getElementById(fresh.id));
    if (!row) continue;
    if (/** @type {HTMLElement} */ (fresh).dataset.gone !== undefined) gone.push(row);
    else mergeRow(row, /** @type {HTMLElement} */ (fresh));
  }
  mergePeeks(got.content);
  for (const row of gone) remove(row);
  announce();
}

/**
 * Replaces the cells that differ, and keeps focus.
 * @param {HTMLElement} row
 * @param {HTMLElement} fresh
 */
function mergeRow(row, fresh) {
  const focus = row.contains(document.activeElement) ? focusedId() : "";
  const moved = row.querySelector(".status")?.textContent !== fresh.querySelector(".status")?.textContent;
  row.dataset.version = fresh.dataset.version;
  row.className = fresh.className;
  if (moved) {
    row.classList.add("changed");
    setTimeout(() => row.classList.remove("changed"), 1000);
  }
  [...fresh.children].forEach((cell, i) => {
    const old = row.children[i];
    if (old.outerHTML === cell.outerHTML) return;
    if (hangs(old)) held.add(row.id.slice(5));
    else old.replaceWith(cell);
  });
  if (focus && !row.contains(document.activeElement)) {
    const back = document.getElementById(focus) ?? row.querySelector("a.name");
    if (back instanceof HTMLElement) back.focus({ preventScroll: true });
  }
}

/**
 * The tasks of which something was not replaced, because a popover hung on it.
 * @type {Set<string>}
 */
const held = new Set();

/**
 * Tells whether an open popover hangs on a button here, which would take it along.
 * @param {Element} cell
 */
const hangs = (cell) => [...cell.querySelectorAll("[popovertarget]")].some((b) => document.getElementById(b.getAttribute("popovertarget") ?? "")?.matches(":popover-open"));

/** @param {DocumentFragment} content */
function mergePeeks(content) {
  for (const fresh of [...content.querySelectorAll("[popover]")]) {
    const old = document.getElementById(fresh.id);
    if (!old) document.getElementById("peeks")?.append(fresh);
    else if (!old.matches(":popover-open")) old.replaceWith(fresh);
  }
}

/** @param {HTMLElement} row */
function remove(row) {
  const beside = row.nextElementSibling ?? row.previousElementSibling;
  const focused = row.contains(document.activeElement);
  row.remove();
  if (focused) /** @type {HTMLElement | null} */ (beside?.querySelector("a.name") ?? document.getElementById("main"))?.focus();
}

async function refreshPill() {
  const shown = list();
  const after = shown?.dataset.newest;
  if (!shown || !after) return;
  const got = await fragment(`${base}/tasks/new?${shown.dataset.view}${shown.dataset.view ? "&" : ""}after=${encodeURIComponent(after)}`);
  if (!got.ok) throw new Error(String(got.status));
  const place = shown.querySelector("#new");
  const text = got.content.textContent;
  if (place && place.textContent !== text) place.replaceChildren(got.content);
}

async function refreshDetail() {
  const got = await fragment(location.pathname + location.search);
  const shown = detail();
  if (got.status === 404) {
    location.reload(); // it says why there is no such task
    return;
  }
  const fresh = got.content.getElementById("detail");
  if (!fresh || !shown) throw new Error(String(got.status));
  for (const part of [...fresh.querySelectorAll("[data-part]")]) {
    const old = document.getElementById(part.id);
    if (!old || old.outerHTML === part.outerHTML) continue;
    if (hangs(old)) {
      held.add(shown.dataset.task ?? "");
      continue;
    }
    const focus = old.contains(document.activeElement) ? focusedId() : "";
    const box = old.querySelector(".log");
    const end = box && box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
    const at = box?.scrollTop ?? 0;
    old.replaceWith(part);
    const now = part.querySelector(".log");
    if (now) now.scrollTop = end ? now.scrollHeight : at;
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  }
  mergePeeks(got.content);
  announce();
}

// ---- The state, in words.

/** @type {"connecting" | "live" | "down"} */
let stream = "connecting";
let downSince = 0, lastAnswer = Date.now(), offline = false, poller = 0;

const clockText = (/** @type {number} */ at) => new Date(at).toLocaleTimeString();

function show() {
  if (!label || !pauseButton) return;
  let state = stream === "live" ? "live" : "connecting", text = stream === "live" ? "Live" : "Connecting";
  if (stream === "down" && Date.now() - downSince > 10_000) [state, text] = ["polling", `Polling every 5 s since ${clockText(downSince)}`];
  if (offline) [state, text] = ["offline", `Offline (last answer at ${clockText(lastAnswer)})`];
  if (paused) [state, text] = ["paused", dirty.size ? `Paused (${dirty.size} ${dirty.size === 1 ? "update" : "updates"} held back)` : "Paused"];
  if (ended) [state, text] = ["offline", "No longer live: load the page again"];
  label.hidden = false;
  label.dataset.state = state;
  if (label.textContent !== text) label.textContent = text; // said once
}

function answered() {
  lastAnswer = Date.now();
  offline = false;
}

/** Stops asking: one is signed out, or tasks are switched off. */
function end() {
  ended = true;
  clearInterval(poller);
}

function unanswered() {
  if (stream !== "live") offline = true;
}

/** @param {"live" | "down"} now */
function turn(now) {
  const back = now === "live" && stream === "down";
  if (now === "down" && stream !== "down") downSince = Date.now();
  stream = now;
  clearInterval(poller);
  if (now === "down") {
    poller = setInterval(() => {
      if (document.hidden && performance.now() - lastFlush < 30_000) return;
      for (const id of shownIds()) dirty.add(id);
      checkNew = !!list()?.dataset.newest;
      schedule(0);
      show();
    }, 5000);
  }
  if (now === "live") answered();
  if (back) refresh(shownIds());
  show();
}

// ---- The stream: the tab that holds the lock has it, and tells the others.

/** @typedef {{kind: "task", id: string, version: number} | {kind: "state", state: "live" | "down"} | {kind: "reset"} | {kind: "refresh", ids: string[]} | {kind: "asks"}} Message */

/** @type {BroadcastChannel | undefined} */
let channel;

/** @param {Message} message */
function take(message) {
  if (message.kind === "task") hear(message);
  else if (message.kind === "state" && message.state !== stream) turn(message.state);
  else if (message.kind === "reset") refresh(shownIds());
  else if (message.kind === "refresh") refresh(message.ids);
}

/** @param {(message: Message) => void} tell */
function follow(tell) {
  let cursor = "", attempt = 0, wait = -1;
  /** @type {EventSource | undefined} */
  let source;
  const again = () => {
    source?.close();
    source = undefined;
    if (ended) return;
    const after = wait >= 0 ? wait : Math.min(30_000, 1000 * 2 ** attempt++) * (0.5 + Math.random() / 2);
    wait = -1;
    setTimeout(open, after);
  };
  const open = () => {
    const es = (source = new EventSource(api + "/events" + (cursor ? "?cursor=" + encodeURIComponent(cursor) : "")));
    const on = (/** @type {string} */ name, /** @type {(data: any) => void} */ act) =>
      es.addEventListener(name, (event) => {
        cursor = event.lastEventId || cursor;
        act(JSON.parse(event.data));
      });
    on("hello", () => {
      attempt = 0;
      tell({ kind: "state", state: "live" });
    });
    on("task", (data) => tell({ kind: "task", id: data.id, version: data.version }));
    on("reset", () => tell({ kind: "reset" }));
    on("bye", (data) => {
      wait = data.retry; // an end that was said is no failure
      again();
    });
    es.onerror = () => {
      if (es !== source) return;
      tell({ kind: "state", state: "down" });
      again();
    };
  };
  open();
}

function connect() {
  if (!navigator.locks || !window.BroadcastChannel) {
    follow(take);
    return;
  }
  const name = `gtf ${base} ${root.dataset.user}`;
  const all = (channel = new BroadcastChannel(name));
  let leads = false;
  all.onmessage = ({ data }) => {
    if (data.kind !== "asks") take(data);
    else if (leads && stream !== "connecting") all.postMessage({ kind: "state", state: stream });
  };
  navigator.locks.request(name, () => {
    leads = true;
    follow((message) => {
      take(message);
      all.postMessage(message);
    });
    return new Promise(() => {}); // until the tab is closed
  });
  all.postMessage({ kind: "asks" });
}

if (api) {
  connect();
  pauseButton?.removeAttribute("hidden");
  pauseButton?.addEventListener("click", () => {
    paused = !paused;
    pauseButton.setAttribute("aria-pressed", String(paused));
    show();
    if (!paused) schedule(0);
  });
  document.addEventListener("visibilitychange", () => schedule(0));
  document.addEventListener("selectionchange", () => dirty.size > 0 && !timer && schedule());
  document.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "closed" || held.size === 0) return;
    refresh([...held]);
    held.clear();
  }, true);
  show();
  setInterval(show, 1000);
}
document.addEventListener("gtf:new", () => {
  tick();
  if (dirty.size > 0) schedule();
});
tick();
setInterval(() => document.hidden || tick(), 1000);
