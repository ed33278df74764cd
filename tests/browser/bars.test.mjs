/** Bars with messages come and go without moving anything, and without covering what steers. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { api, open, picture, serve, theShop, until } from "./harness.mjs";
import { greeter, save } from "./scripts.mjs";

const MOST_SHIFT = 0.02;
const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const allow = /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_EMPTY|ERR_CONNECTION_RESET|ERR_SOCKET/;

const TEXT = greeter();
const BROKEN = TEXT.replace("task(|| {", "tasks(|| {");

const pages = [];
let server;

after(() => Promise.all(pages.map((page) => page.context().close())));

/** Where the parts of the screen above the bars are. */
const places = (page) =>
  page.evaluate(() => {
    const parts = [".top", ".figures", ".tabs", ".windowbar", ".strip", "main", ".bottombar"];
    const seen = parts.filter((part) => document.querySelector(part)?.getClientRects().length);
    return seen.map((part) => {
      const { x, y, width } = document.querySelector(part).getBoundingClientRect();
      return [part, x, y, width].join(" ");
    });
  });

/** Whether a click in the middle of it would reach it. */
const isFree = (button) =>
  button.evaluate((element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return element.contains(document.elementFromPoint(x + width / 2, y + height / 2));
  });

/** Nothing of a page may have moved since `before`, and Stop and Users must be in reach. */
async function unmoved(page, before, what, steers = true) {
  assert.deepEqual(await places(page), before, what);
  const shifts = await page.evaluate(() => window.theShifts());
  const sum = shifts.reduce((sum, { value }) => sum + value, 0);
  assert.ok(sum < MOST_SHIFT, `${what}: ${sum.toFixed(3)} ${JSON.stringify(shifts)}`);
  if (!steers) return;
  for (const control of [
    page.getByRole("button", { name: "Stop" }),
    page.getByRole("textbox", { name: "Users" }),
  ]) {
    assert.ok(await isFree(control), `${what} covers ${control}`);
  }
}

/** Brings a bar about, looks, and ends it again, on all pages at once. */
async function comesAndGoes(what, { begin, text, end, steers = true }) {
  const before = await Promise.all(pages.map(places));
  // Of each bar on its own: numbers that grow wider over a long run are another matter.
  for (const page of pages) await page.evaluate(() => window.theShifts().splice(0));
  await begin();
  for (const [at, page] of pages.entries()) {
    const bar = page.locator(".banners .bar", { hasText: text });
    await bar.waitFor();
    assert.ok(await bar.isVisible());
    const box = await bar.boundingBox();
    const { height } = page.viewportSize();
    assert.ok(box.y >= height / 2 && box.y + box.height <= height, `${what}: in sight, below`);
    await unmoved(page, before[at], what, steers);
    await picture(page, `bar-${what}-${page.viewportSize().width}`);
  }
  await end();
  for (const [at, page] of pages.entries()) {
    await page.locator(".banners .bar", { hasText: text }).waitFor({ state: "detached" });
    await unmoved(page, before[at], `after ${what}`, steers);
  }
}

test("a broken script, a mended one", async () => {
  const path = save("bars.rhai", TEXT);
  server = await serve(["-f", path, "-H", await theShop(), "--watch", "-u", "3", "-r", "100"]);
  await api(server).run({}, 1);
  for (const viewport of [WIDE, PHONE]) pages.push(await open(server.url, { viewport, allow }));
  for (const page of pages) await page.locator(".state-running").waitFor();
  await api(server).second(3);
  await comesAndGoes("script", {
    begin: () => save("bars.rhai", BROKEN),
    text: "The edited script has 1 mistake",
    end: () => save("bars.rhai", TEXT),
  });
});

test("a bar is reached by keyboard, put away, and comes again with another mistake", async () => {
  const [page] = pages;
  save("bars.rhai", BROKEN);
  const bar = page.locator(".script-bar");
  await bar.waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "messages");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Show");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await bar.waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  save("bars.rhai", BROKEN.replace("constant", "constantly"));
  await bar.waitFor();
  save("bars.rhai", TEXT);
  await bar.waitFor({ state: "detached" });
});

test("users behind a reload", async () => {
  const slow = greeter({ path: "/delay/4000" });
  save("bars.rhai", slow);
  await until("the slow script", async () => {
    const { generations, users } = await api(server).snapshot();
    return generations.length >= 2 && users.behind === 0;
  });
  await comesAndGoes("waiting", {
    begin: () => save("bars.rhai", TEXT),
    text: "still in an older one",
    end: () => {},
  });
});

test("a target that cannot be reached", async () => {
  const host = (host) => () => api(server).call("PATCH", "api/v1/run", { host });
  await comesAndGoes("unreachable", {
    begin: host("http://127.0.0.1:9"),
    text: "Nothing but failures",
    end: host(await theShop()),
  });
});

test("a server that is gone, and another one in its place", async () => {
  const port = new URL(server.url).port;
  await comesAndGoes("lost", {
    begin: () => server.stop("SIGKILL"),
    text: "No answer since",
    end: async () => {
      server = await serve(["-f", save("bars.rhai", TEXT), "--web-port", port]);
    },
  });
  for (const page of pages) {
    const bar = page.locator(".banners .bar", { hasText: "Katydid was restarted" });
    await bar.waitFor();
    await bar.getByRole("button", { name: "Dismiss" }).click();
    await bar.waitFor({ state: "detached" });
  }
  for (const page of pages) await page.calm();
});
