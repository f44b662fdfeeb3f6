import assert from "node:assert/strict";
import { test } from "node:test";
import { base, listOf, look, open, row, task, unique, until } from "./stage.mjs";

const at = (page) => new URL(page.url()).pathname.replace(/^.*\/tasks/, "/tasks") + new URL(page.url()).search;

test("address: each choice is one step back, and opens elsewhere as it is here", async (t) => {
  const name = unique("choice");
  const one = await task({ name: name + " a" });
  const two = await task({ name: name + " b", scope: "shared" });
  const page = await listOf(t, "grace", name);
  const start = at(page);
  await page.evaluate(() => (window.mark = 1));
  await page.locator("#tab-pending").click();
  await page.waitForURL(/status=pending/);
  await page.locator("#b-facet-scope").click();
  await page.locator("#facet-scope").getByLabel("Shared").check();
  await page.locator("#facet-scope").getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/scope=shared/);
  await row(page, one.id).waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "b-facet-scope", "focus is where it was");
  await page.locator("#sort-status").click();
  await page.waitForURL(/sort=status/);
  await until(() => page.locator(".c-status[aria-sort]").getAttribute("aria-sort"), "ascending");
  assert.equal(await page.evaluate(() => window.mark), 1, "no page was loaded");

  const elsewhere = await (await look(t, "grace")).newPage();
  await elsewhere.goto(page.url());
  assert.equal(await elsewhere.locator("#rows tr").count(), 1);
  assert.deepEqual(await elsewhere.locator(".chip").allTextContents(), await page.locator(".chip").allTextContents());

  await page.goBack();
  await page.waitForURL((u) => !u.search.includes("sort"));
  await page.goBack();
  await row(page, one.id).waitFor();
  await page.goBack();
  await until(() => at(page), start);
  await page.goForward();
  await page.waitForURL(/status=pending/);
  await until(() => page.locator("#tab-pending").getAttribute("aria-current"), "true");
  await row(page, two.id).waitFor();
});

test("address: typing searches without filling the history, and a chip takes the text off", async (t) => {
  const { id, name } = await task({ name: unique("typed") });
  const page = await open(t, "grace", "/tasks");
  await page.locator("#search").pressSequentially(name, { delay: 20 });
  await until(() => page.locator("#rows tr").count(), 1);
  await page.waitForURL(/text=/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  await page.keyboard.press("Enter");
  await page.waitForTimeout(300);
  await row(page, id).waitFor();
  await page.locator(".chip").click();
  await page.waitForURL((u) => !u.search.includes("text"));
  await until(() => page.locator("#search").inputValue(), "");
});

test("address: pages go forward and back", async (t) => {
  const name = unique("paged");
  for (let i = 0; i < 27; i++) await task({ name: `${name} ${i}` });
  const page = await listOf(t, "grace", name);
  assert.equal(await page.locator("#range").textContent(), "1–25 of 27");
  await page.locator("#page-Next").click();
  await until(() => page.locator("#range").textContent(), "26–27 of 27");
  await page.reload();
  assert.equal(await page.locator("#range").textContent(), "26–27 of 27");
  await page.locator("#page-Previous").click();
  await until(() => page.locator("#range").textContent(), "1–25 of 27");
});

test("without script: filters, pages, a task, and its cancel", async (t) => {
  const name = unique("plain");
  for (let i = 0; i < 26; i++) await task({ name: `${name} ${i}` });
  const { id } = await task({ name: `${name} last`, scope: "shared", by: "grace,alan" });
  const page = await open(t, "grace", "/tasks", { javaScriptEnabled: false });
  await page.locator("#search").fill(name);
  await page.keyboard.press("Enter");
  await page.waitForURL(/text=/);
  assert.equal(await page.locator("#range").textContent(), "1–25 of 27");
  await page.locator("#page-Next").click();
  await page.waitForURL(/cursor=/);
  await page.locator("#page-First").click();
  await page.locator("#b-facet-scope").click(); // popovers need no script
  await page.locator("#facet-scope").getByLabel("Shared").check();
  await page.locator("#facet-scope").getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/scope=shared/);
  const list = page.url();
  await row(page, id).locator("a.name").click();
  assert.equal(await page.locator("h1").textContent(), `${name} last`);
  await page.goto(list);
  await page.locator("#cancel-" + id).click();
  assert.equal(await page.locator("p.untold").textContent(), "You leave. It goes on for 1 other.");
  await page.getByRole("button", { name: "Leave task" }).click();
  await page.locator(".toast", { hasText: `You left ${name} last` }).waitFor();
  assert.equal(page.url(), list);
  assert.equal(await row(page, id).count(), 0);
  await page.goto(base + "/tasks/" + id);
  assert.equal(await page.locator(".empty h2").textContent(), "There is no such task");
});

test("theme: chosen without loading, and kept", async (t) => {
  const page = await open(t, "grace", "/tasks");
  await page.locator("#me").click();
  await page.getByRole("button", { name: "Dark" }).click();
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
  await page.reload();
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
});

test("demo: one can be somebody else", async (t) => {
  const page = await open(t, "grace", "/tasks");
  await page.locator("#me").click();
  await page.getByRole("button", { name: "Alan Turing" }).click();
  await page.getByRole("button", { name: "You are Alan Turing" }).waitFor();
});

for (const secure of [true, false]) {
  test(`copy: ${secure ? "with" : "without"} a clipboard of the browser`, async (t) => {
    const { id } = await task({});
    const context = await look(t, "grace", { permissions: secure ? ["clipboard-read", "clipboard-write"] : [] });
    if (!secure) {
      await context.addInitScript(() => {
        Object.defineProperty(navigator, "clipboard", { value: undefined });
        document.addEventListener("copy", () => (window.copied = document.activeElement.value));
      });
    }
    const page = await context.newPage();
    await page.goto(base + "/tasks/" + id);
    await page.getByRole("button", { name: "Copy link" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const copied = await page.evaluate((secure) => (secure ? navigator.clipboard.readText() : window.copied), secure);
    assert.equal(copied, page.url());
    await page.getByRole("button", { name: "Copy link" }).waitFor();
  });
}
