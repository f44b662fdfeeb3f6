// What the tests have in common: a browser, somebody who looks, and tasks that do as they are told.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after } from "node:test";
import { chromium } from "playwright-core";

export const base = process.env.GTF_BROWSER_URL;
const root = new URL(base).origin;

const browser = await chromium.launch({
  executablePath: process.env.GTF_CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
after(() => browser.close());

/** Tells the server what to do. */
export async function control(what, values = {}) {
  const answer = await fetch(`${root}/control/${what}`, { method: "POST", body: new URLSearchParams(values) });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return text;
}

let count = 0;

/** A name that no other task has. */
export const unique = (name) => `${name} ${process.pid}x${++count}`;

/** Makes a task; its id and name. */
export async function task(values) {
  const name = values.name ?? unique("task");
  return { id: await control("task", { by: "grace", ...values, name }), name };
}

/** A browser of somebody, closed after the test, which fails if a page has complained. */
export async function look(t, who, { width = 1440, height = 900, theme = "light", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...options });
  await context.addCookies([
    { name: "gtf_demo", value: who, url: root },
    { name: "gtf_theme", value: theme, url: root },
  ]);
  const complaints = [];
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("console", (message) => {
    if (/Content.Security.Policy/i.test(message.text())) complaints.push(message.text());
  });
  context.on("page", (page) => page.setDefaultTimeout(8000));
  t.after(async () => {
    await context.close();
    assert.deepEqual(complaints, [], "what the pages complained of");
  });
  return context;
}

/** The same, with a page that is open. */
export async function open(t, who, path, options) {
  const context = await look(t, who, options);
  const page = await context.newPage();
  await page.goto(base + path);
  return page;
}

/** A list with one task only. */
export const listOf = (t, who, name, options) => open(t, who, "/tasks?text=" + encodeURIComponent(name), options);

export const row = (page, id) => page.locator(`#task-${id}`);

/** Waits until the stream is open, so that what is done from now on is told of. */
export const isLive = (page) => page.locator('#live[data-state="live"]').waitFor();

/** Waits until something is so. */
export async function until(what, wanted, patience = 8000) {
  const end = Date.now() + patience;
  let got;
  do {
    got = await what();
    if (got === wanted) return;
    await new Promise((done) => setTimeout(done, 50));
  } while (Date.now() < end);
  assert.deepEqual(got, wanted);
}

/** Keeps a picture, if somebody wants pictures. */
export async function picture(page, name) {
  const folder = process.env.GTF_BROWSER_PICTURES;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}
