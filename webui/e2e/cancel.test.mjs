import assert from "node:assert/strict";
import { test } from "node:test";
import { control, isLive, listOf, row, task, unique, until } from "./stage.mjs";

const cases = [
  { name: "a private task of one's own", who: "grace", make: { scope: "private" },
    button: "Cancel", text: "This stops the task.", confirm: "Stop task", sends: "expect=abort", says: "Stopped: ", after: "Aborted" },
  { name: "a running private task, by an admin", who: "ada", make: { scope: "private", running: 1, abortable: 1 },
    button: "Cancel", text: "This stops the task.", confirm: "Stop task", sends: "expect=abort", says: "Stopping: " },
  { name: "a system task, by an admin", who: "ada", make: { scope: "system" },
    button: "Cancel", text: "This stops the task.", confirm: "Stop task", sends: "expect=abort", says: "Stopped: ", after: "Aborted" },
  { name: "a shared task that nobody else follows", who: "grace", make: { scope: "shared", running: 1, abortable: 1 },
    button: "Cancel", text: "You are the only one following it. This stops the task.", confirm: "Stop task", sends: "expect=abort", says: "Stopping: " },
  { name: "a shared task that others follow", who: "grace", make: { scope: "shared", by: "grace,alan", running: 1, abortable: 1 },
    button: "Cancel", text: "You leave. It goes on for 1 other.", confirm: "Leave task", sends: "expect=unsubscribe", says: "You left ", after: "gone" },
  { name: "a shared task that others follow, by an admin who does, too", who: "ada", make: { scope: "shared", by: "ada,alan", running: 1, abortable: 1 },
    button: "Cancel", text: "You leave. It goes on for 1 other.", confirm: "Leave task", box: "unticked", sends: "expect=unsubscribe", says: "You left ", after: "In progress" },
  { name: "the same for everyone", who: "ada", make: { scope: "shared", by: "ada,alan" }, tick: true,
    button: "Cancel", text: "This stops the task for all 2.", confirm: "Stop for everyone", box: "ticked", sends: "expect=unsubscribe&force=1", says: "Stopped: ", after: "Aborted" },
  { name: "a shared task, by an admin who does not follow it", who: "ada", make: { scope: "shared", by: "grace,alan", running: 1, abortable: 1 },
    button: "Cancel", text: "You do not follow this task. This stops it for all 2.", confirm: "Stop for everyone", box: "ticked, fixed", sends: "expect=abort&force=1", says: "Stopping: " },
  { name: "a shared task without handler that others follow", who: "grace", make: { scope: "shared", by: "grace,alan", running: 1 },
    button: "Leave", text: "You leave. It goes on for 1 other.", confirm: "Leave task", sends: "expect=unsubscribe", says: "You left ", after: "gone" },
  { name: "a shared task without handler, by an admin who follows it", who: "ada", make: { scope: "shared", by: "ada,alan", running: 1 },
    button: "Leave", text: "You leave. It goes on for 1 other.", confirm: "Leave task", box: "unticked, fixed", sends: "expect=unsubscribe", says: "You left ", after: "In progress" },
];

async function boxOf(dialog) {
  const box = dialog.locator("input[type=checkbox]");
  if ((await box.count()) === 0) return undefined;
  return ((await box.isChecked()) ? "ticked" : "unticked") + ((await box.isDisabled()) ? ", fixed" : "");
}

for (const c of cases) {
  test(`cancel: ${c.name}`, async (t) => {
    const { id, name } = await task(c.make);
    const page = await listOf(t, c.who, name);
    await isLive(page);
    const button = row(page, id).locator(".c-actions .button");
    assert.equal(await button.textContent(), c.button);
    const dialog = page.locator("dialog");

    await button.click();
    await dialog.locator("form").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Keep running");
    await page.keyboard.press("Escape");
    await until(() => dialog.count(), 0);
    assert.equal(await page.evaluate(() => document.activeElement.id), "cancel-" + id, "focus comes back");

    await page.keyboard.press("Enter");
    await dialog.locator("form").waitFor();
    if (c.tick) await dialog.locator("input[type=checkbox]").check();
    assert.equal((await dialog.locator(".untold:visible, .told:visible").allTextContents()).join("|"), `${c.text}|${c.confirm}`);
    assert.equal(await boxOf(dialog), c.box);
    const sent = page.waitForRequest((r) => r.method() === "POST");
    await dialog.locator(".danger").dblclick(); // which is one cancel
    const body = new URLSearchParams((await sent).postData());
    body.delete("return_to");
    assert.equal(body.toString(), c.sends);
    await page.locator(".toast", { hasText: c.says + name }).waitFor();
    await until(() => dialog.count(), 0);
    assert.equal(await page.locator(".toast").count(), 1);
    if (c.after === "gone") await row(page, id).waitFor({ state: "detached" });
    else if (c.after) await until(() => row(page, id).locator(".status").textContent(), c.after);
    assert.notEqual(await page.evaluate(() => document.activeElement.tagName), "BODY", "focus is somewhere");
  });
}

for (const [name, who, make] of [
  ["a private task", "grace", { scope: "private", running: 1 }],
  ["a shared task that nobody else follows", "grace", { scope: "shared", running: 1 }],
  ["a shared task, by an admin who does not follow it", "ada", { scope: "shared", by: "grace,alan", running: 1 }],
]) {
  test(`cancel: not without handler: ${name}`, async (t) => {
    const made = await task(make);
    const page = await listOf(t, who, made.name);
    const button = row(page, made.id).getByRole("button", { name: "Cancel " + made.name });
    assert.equal(await button.getAttribute("aria-disabled"), "true");
    const why = await button.getAttribute("aria-describedby");
    assert.equal(await page.locator("#" + why).textContent(), "Cannot be cancelled: no abort handler");
    await button.focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.locator("dialog").count(), 0);
  });
}

test("cancel: who may only look is offered nothing", async (t) => {
  const { id, name } = await task({ by: "katherine" });
  const page = await listOf(t, "katherine", name);
  assert.equal(await row(page, id).locator(".c-actions .button").count(), 0);
});

test("cancel: what would now do something else says so, and does it when asked again", async (t) => {
  const { id, name } = await task({ scope: "shared", by: "grace,alan", running: 1, abortable: 1 });
  const page = await listOf(t, "grace", name);
  await page.locator("#cancel-" + id).click();
  const dialog = page.locator("dialog");
  await dialog.locator("form").waitFor();
  await control("leave", { id, by: "alan" });
  await dialog.locator(".danger").click();
  await dialog.getByRole("alert").waitFor();
  assert.equal(await dialog.locator("p.untold").textContent(), "You are the only one following it. This stops the task.");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Keep running");
  await dialog.getByRole("button", { name: "Stop task" }).click();
  await page.locator(".toast", { hasText: "Stopping: " + name }).waitFor();
});

test("cancel: Enter confirms nothing but on the button itself", async (t) => {
  const { id, name } = await task({ scope: "shared", by: "ada,alan" });
  const page = await listOf(t, "ada", name);
  await page.locator("#cancel-" + id).click();
  const box = page.locator("dialog input[type=checkbox]");
  await box.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Space");
  assert.equal(await box.isChecked(), true);
  assert.equal(await page.locator("dialog").count(), 1);
  assert.equal(await page.locator(".toast").count(), 0);
});

test("cancel: a dialog that was dismissed does not come back", async (t) => {
  const name = unique("dismissed");
  const { id } = await task({ name, running: 1, abortable: 1 });
  const page = await listOf(t, "grace", name);
  await isLive(page);
  await page.locator("#cancel-" + id).click();
  await page.locator("dialog form").waitFor();
  await page.mouse.click(5, 5); // beside it
  await until(() => page.locator("dialog").count(), 0);
  for (let done = 1; done <= 3; done++) {
    await control("act", { id, done, total: 9 });
    await until(() => row(page, id).locator(".done").textContent(), `${done} of 9 (${Math.floor((done * 100) / 9)}%)`);
    assert.equal(await page.locator("dialog").count(), 0);
  }
});
