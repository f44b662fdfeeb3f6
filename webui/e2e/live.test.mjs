import assert from "node:assert/strict";
import { test } from "node:test";
import { base, control, isLive, listOf, look, open, row, task, unique, until } from "./stage.mjs";

const percent = (done, total) => `${done} of ${total} (${Math.floor((done * 100) / total)}%)`;

test("live: progress moves, and nothing that somebody does is disturbed by 20 updates", async (t) => {
  const { id, name } = await task({ running: 1, abortable: 1 });
  await control("act", { id, payload: "the note", done: 1, total: 60 });
  const page = await listOf(t, "grace", name, { height: 400 });
  await isLive(page);
  await page.evaluate(() => (window.mark = 1));
  await page.locator("#b-payload-" + id).focus();
  await page.keyboard.press("Enter");
  const popover = page.locator("#payload-" + id);
  await popover.locator("[data-copy]").waitFor();
  await page.evaluate(() => scrollTo(0, 30));
  const before = await page.evaluate(() => scrollY);
  for (let done = 2; done <= 21; done++) await control("act", { id, done, total: 60 });
  await until(() => row(page, id).locator(".done").textContent(), percent(21, 60));
  assert.equal(await popover.isVisible(), true, "the popover is open");
  assert.match(await popover.textContent(), /the note/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "b-payload-" + id, "focus has stayed");
  assert.equal(await page.evaluate(() => scrollY), before, "nothing has scrolled");
  assert.equal(await page.evaluate(() => window.mark), 1, "no page was loaded");
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.id), "b-payload-" + id, "focus is back on the button");

  // A half-typed search, and then the end of the task.
  await page.locator("#search").focus();
  await page.keyboard.press("End");
  await page.keyboard.type("1", { delay: 0 });
  await control("act", { id, done: 60, total: 60, end: 1 });
  assert.equal(await page.locator("#search").inputValue(), name + "1");
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
});

test("live: a popover stays where it is while the row around its button changes", async (t) => {
  const { id, name } = await task({ scope: "shared", running: 1, abortable: 1 });
  const page = await listOf(t, "grace", name);
  await isLive(page);
  await page.locator("#b-people-" + id).click();
  const popover = page.locator("#people-" + id);
  await popover.locator("li").waitFor();
  const beside = async () => {
    const [here, there] = [await popover.boundingBox(), await page.locator("#b-people-" + id).boundingBox()];
    return `${Math.round(here.x - there.x)} ${Math.round(here.y - there.y)}`;
  };
  const before = await beside();
  await task({ name, scope: "shared", by: "alan" });
  await control("act", { id, done: 1, total: 4 });
  await until(() => row(page, id).locator(".done").textContent(), percent(1, 4));
  assert.equal(await popover.isVisible(), true);
  assert.equal(await beside(), before);
  assert.equal(await row(page, id).locator(".pile .face").count(), 1, "the button is the one that was clicked");
  await page.keyboard.press("Escape");
  await until(() => row(page, id).locator(".pile .face").count(), 2);
  assert.equal(await page.evaluate(() => document.activeElement.id), "b-people-" + id);
});

test("live: selected text is not taken away", async (t) => {
  const { id, name } = await task({ running: 1, abortable: 1 });
  await control("act", { id, done: 1, total: 4 });
  const page = await listOf(t, "grace", name);
  await isLive(page);
  await page.evaluate((id) => getSelection().selectAllChildren(document.querySelector(`#task-${id} .done`)), id);
  await control("act", { id, done: 3, total: 4 });
  await page.waitForTimeout(1500);
  assert.equal(await page.evaluate(() => String(getSelection()).trim()), percent(1, 4));
  await page.evaluate(() => getSelection().removeAllRanges());
  await until(() => row(page, id).locator(".done").textContent(), percent(3, 4));
});

test("live: a pause holds back and counts", async (t) => {
  const { id, name } = await task({ running: 1, abortable: 1 });
  const page = await listOf(t, "grace", name);
  await isLive(page);
  await page.getByRole("button", { name: "Pause updates" }).click();
  await control("act", { id, done: 1, total: 4 });
  await until(() => page.locator("#live").textContent(), "Paused (1 update held back)");
  assert.equal(await row(page, id).locator(".done").count(), 0);
  await page.getByRole("button", { name: "Pause updates" }).click();
  await until(() => row(page, id).locator(".done").textContent(), percent(1, 4));
  await until(() => page.locator("#live").textContent(), "Live");
});

test("live: what no longer matches stays, dimmed; what one has left goes, in every tab", async (t) => {
  const name = unique("both");
  const one = await task({ name: name + " a", running: 1 });
  const other = await task({ name: name + " b", scope: "shared", by: "grace,alan" });
  const page = await open(t, "grace", "/tasks?text=" + encodeURIComponent(name) + "&status=in_progress&status=pending");
  await isLive(page);
  await control("act", { id: one.id, end: 1 });
  await until(() => row(page, one.id).getAttribute("class").then((c) => c?.includes("left")), true);
  assert.equal(await row(page, one.id).locator(".status").textContent(), "Success");
  const second = await page.context().newPage();
  await second.goto(base + "/tasks/" + other.id);
  await second.getByRole("link", { name: "Cancel " + other.name }).click();
  await second.getByRole("button", { name: "Leave task" }).click();
  await second.locator("h1", { hasText: "There is no such task" }).waitFor();
  await page.bringToFront();
  await row(page, other.id).waitFor({ state: "detached" });
});

test("live: new tasks are told of, and shown when asked for", async (t) => {
  const name = unique("new");
  const first = await task({ name: name + " 1" });
  const page = await listOf(t, "grace", name);
  await isLive(page);
  const second = await task({ name: name + " 2" });
  const third = await task({ name: name + " 3" });
  await task({ name: "something else" });
  await until(() => page.locator("#new").textContent(), "2 new tasks");
  assert.equal(await row(page, second.id).count(), 0);
  await page.locator("#show-new").click();
  await row(page, third.id).waitFor();
  assert.equal(await page.locator("#rows tr").count(), 3);
  await row(page, first.id).waitFor();
  assert.equal(await page.locator("#new").textContent(), "");
});

test("live: without a stream rows are polled; when it is back, they are asked for once", async (t) => {
  const { id, name } = await task({ running: 1, abortable: 1 });
  const page = await listOf(t, "grace", name);
  await isLive(page);
  await control("break", { on: 1 });
  await control("act", { id, done: 1, total: 4 });
  await until(() => row(page, id).locator(".done").textContent(), percent(1, 4));
  await page.locator('#live[data-state="polling"]').waitFor({ timeout: 15_000 });
  assert.match(await page.locator("#live").textContent(), /^Polling every 5 s since /);
  await control("break", { on: 0 });
  await page.locator('#live[data-state="live"]').waitFor({ timeout: 30_000 });
  await page.waitForTimeout(700);
  let asked = 0;
  page.on("request", (r) => r.url().includes("/rows?") && asked++);
  await page.waitForTimeout(6000);
  assert.equal(asked, 0, "nothing is polled beside a stream");
});

test("live: eight tabs share one stream, and the next takes over", async (t) => {
  const { id, name } = await task({ running: 1, abortable: 1 });
  const context = await look(t, "grace");
  const pages = [];
  await until(() => control("streams"), "0"); // those of other tests are gone
  for (let i = 0; i < 8; i++) {
    const page = await context.newPage();
    const began = Date.now();
    await page.goto(base + "/tasks?text=" + encodeURIComponent(name));
    assert.ok(Date.now() - began < 2000, "the page loads");
    await isLive(page);
    pages.push(page);
  }
  assert.equal(await control("streams"), "1");
  await control("act", { id, done: 1, total: 4 });
  await pages[0].bringToFront();
  await until(() => row(pages[0], id).locator(".done").textContent(), percent(1, 4));
  await pages[0].close();
  await pages[7].bringToFront();
  await until(() => control("streams"), "1");
  await control("act", { id, done: 2, total: 4 });
  await until(() => row(pages[7], id).locator(".done").textContent(), percent(2, 4));
});

test("live: the page of a task follows it to its end", async (t) => {
  const { id } = await task({ running: 1, abortable: 1, scope: "shared", by: "grace,alan" });
  const page = await open(t, "grace", "/tasks/" + id);
  await isLive(page);
  await page.locator(`#b-people-${id}`).click();
  await control("act", { id, done: 1, total: 4 });
  await until(() => page.locator("#logs .log li").count(), 1);
  assert.equal(await page.locator(`#people-${id}`).isVisible(), true, "the popover is open");
  await page.keyboard.press("Escape");
  await until(() => page.locator("#head .done").textContent(), percent(1, 4));
  await control("act", { id, fails: "the disk is full" });
  await page.locator("#error .error-text", { hasText: "the disk is full" }).waitFor();
  await until(() => page.locator("#head .status").textContent(), "Failed");
  assert.equal(await page.locator("#head .button", { hasText: "Cancel" }).count(), 0);
});

test("live: durations do not depend on the clock of the browser", async (t) => {
  const { id, name } = await task({ running: 1, abortable: 1 });
  const context = await look(t, "grace", { timezoneId: "America/St_Johns" });
  await context.addInitScript(() => {
    const now = Date.now;
    Date.now = () => now() + 600_000;
  });
  const page = await context.newPage();
  await page.goto(base + "/tasks?text=" + encodeURIComponent(name));
  await until(async () => /^[3-6]s$/.test(await row(page, id).locator(".c-duration").textContent()), true);
});

test("live: while tasks are switched off, nothing more is asked for", async (t) => {
  const { name } = await task({});
  const page = await listOf(t, "grace", name);
  await isLive(page);
  t.after(() => control("switch", { on: 1 }));
  await control("switch", { on: 0 });
  await until(() => page.locator("#live").textContent(), "No longer live: load the page again", 20_000);
  let asked = 0;
  page.on("request", () => asked++);
  await page.waitForTimeout(7000);
  assert.ok(asked <= 1, `${asked} requests`); // a stream may have been about to be opened
  await page.reload();
  await page.locator(".empty h2", { hasText: "Tasks are switched off" }).waitFor();
});
