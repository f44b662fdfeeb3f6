import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { control, isLive, open, picture, task, unique } from "./stage.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const name = unique("axe");
const running = await task({ name: name + " running", scope: "shared", by: "ada,grace,alan,visitor", running: 1, abortable: 1 });
await control("act", { id: running.id, done: 9, total: 60, payload: "note" });
await task({ name: name + " stuck", by: "ada", running: 1, timeout: 1 });
const failed = await task({ name: name + " failed", by: "ada", running: 1, abortable: 1 });
await control("act", { id: failed.id, done: 1, total: 3, payload: "note" });
await control("act", { id: failed.id, fails: "the disk is full" });
await task({ name: name + " تقرير المبيعات with a name that is longer than any column could ever be", scope: "system" });
const listed = "/tasks?text=" + encodeURIComponent(name);

const views = [
  { name: "list", path: listed, live: true },
  { name: "filtered", path: listed + "&status=in_progress&since=24h&scope=shared", live: true },
  { name: "empty", path: "/tasks?text=nothing-is-called-so", live: true },
  { name: "left", path: listed + "&scope=shared", act: (p) => p.evaluate((id) => document.getElementById("task-" + id).classList.add("left"), running.id) },
  { name: "facet", path: listed, act: (p) => p.locator("#b-facet-created_by").click() },
  { name: "people", path: listed, act: (p) => p.locator("#b-people-" + running.id).click() },
  { name: "payload", path: listed, act: (p) => p.locator("#b-payload-" + running.id).click() },
  { name: "trace", path: listed, act: (p) => p.locator("#b-trace-" + failed.id).click() },
  { name: "menu", path: listed, act: (p) => p.locator("#me").click() },
  { name: "dialog", path: listed, act: async (p) => { await p.locator("#cancel-" + running.id).click(); await p.locator("dialog form").waitFor(); } },
  { name: "cancel-page", path: `/tasks/${running.id}/cancel` },
  { name: "detail", path: "/tasks/" + running.id, live: true },
  { name: "detail-failed", path: "/tasks/" + failed.id, live: true },
  { name: "not-found", path: "/tasks/nonsense" },
  { name: "error", path: "/tasks?page_size=many" },
];

for (const theme of ["light", "dark"]) {
  for (const width of [390, 1440]) {
    for (const view of views) {
      test(`axe: ${view.name}, ${theme}, ${width}`, async (t) => {
        const page = await open(t, "ada", view.path, { theme, width, height: width < 500 ? 844 : 900 });
        if (view.live) await isLive(page);
        await view.act?.(page);
        await page.waitForTimeout(250); // what is fetched on opening
        await picture(page, `${view.name}-${theme}-${width}`);
        await page.evaluate(axe);
        const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ") + " " + n.failureSummary).join("; ")}`), []);
        const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(wide <= window, `the page is ${wide} wide in a window of ${window}`);
      });
    }
  }
}

for (const width of [320, 768, 1100, 1920]) {
  test(`sizes: nothing sticks out at ${width}`, async (t) => {
    const page = await open(t, "ada", listed, { width });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await page.locator("#cancel-" + running.id).scrollIntoViewIfNeeded();
    const box = await page.locator("#cancel-" + running.id).boundingBox();
    assert.ok(box.x + box.width <= width, "the button can be reached");
  });
}

test("sizes: a first visit takes few requests and bytes", async (t) => {
  const page = await open(t, "ada", "/tasks");
  await isLive(page);
  const loaded = await page.evaluate(() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .map((e) => ({ name: e.name, size: e.transferSize })).filter((e) => e.size > 0));
  const bytes = loaded.reduce((sum, e) => sum + e.size, 0);
  assert.ok(loaded.length <= 8, loaded.map((e) => e.name).join("\n"));
  assert.ok(bytes <= 45 * 1024, `${bytes} bytes`);
});
