/** The keyboard's way through every screen, and the same screens in the reader's own colours. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, open, picture, serve, theShop, until } from "./harness.mjs";
import { PARAMETERS, save } from "./scripts.mjs";

/** More stops than any screen has: who needs more is in a trap. */
const MOST_STOPS = 120;

const SCRIPT = `${PARAMETERS.split("user(")[0]}
user("Visitor", #{
    wait_time: constant(0.05),
    look: task(|| {
        let r = this.client.get("/hello");
        r.check("greets", r.status == 200);
    }),
    fail: task(|| { this.client.get("/status/500"); }),
    raise: task(|| { throw "no such coupon"; }),
});
`;

let server;
let page;

before(async () => {
  const script = save("focus.rhai", SCRIPT);
  server = await serve(["-f", script, "-H", await theShop(), "--watch", "-u", "4", "-r", "100"]);
  page = await open(server.url);
});

after(() => page.context().close());

/** What has the focus: its place, and whether one sees that it has it. */
function focused() {
  const own = document.activeElement;
  if (!own || own === document.body) return null;
  const { left, right, top, bottom } = own.getBoundingClientRect();
  // Where it is in all that scrolls, since each stop may have scrolled it.
  let [x, y] = [0, 0];
  for (let around = own.parentElement; around; around = around.parentElement) {
    x += around.scrollLeft;
    y += around.scrollTop;
  }
  // A field inside of a label, and the like, are seen by the ring of their own.
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(own);
  const isVisible = own.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const name = own.getAttribute("aria-label") || own.title || own.textContent || own.id;
  return {
    name: `${own.tagName.toLowerCase()}.${own.className} ${name.trim().slice(0, 40)}`,
    box: { left: left + x, right: right + x, top: top + y, bottom: bottom + y },
    isSeen: isVisible && outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 1,
    isClear: outlineColor !== "rgba(0, 0, 0, 0)",
    isInside: left >= -1 && right <= innerWidth + 1 && top >= -1 && bottom <= innerHeight + 1,
  };
}

/** Every stop of the Tab key, until the page is left. */
async function stops() {
  await page.evaluate(() => {
    document.activeElement?.blur();
    getSelection()?.removeAllRanges();
  });
  // From the top: the browser remembers where the focus was.
  await page.evaluate(() => {
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
  });
  const found = [];
  for (;;) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(focused);
    if (!now) return found;
    found.push(now);
    if (found.length > 1 && now.name === found[0].name) return found.slice(0, -1);
    const names = found.slice(-6).map(({ name }) => name);
    assert.ok(found.length < MOST_STOPS, `the focus is in a trap: ${names.join(" → ")}`);
  }
}

/**
 * Whether the eye, which reads lines and then columns, would go from one to the other: what follows
 * is not to the left in the same line, and further up only in a column to the right.
 */
function isOnward(from, to) {
  const shared = Math.min(from.bottom, to.bottom) - Math.max(from.top, to.top);
  const height = Math.max(from.bottom - from.top, to.bottom - to.top);
  if (shared > height / 2) return to.left >= from.left - 1;
  return to.top >= from.top - 1 || to.left >= from.right - 1;
}

async function wander(what) {
  const all = await stops();
  assert.ok(all.length >= 5, `${what} has ${all.length} stops`);
  for (const { name, isSeen, isClear, isInside, box } of all) {
    assert.ok(isSeen && isClear, `${what}: no ring around ${name}`);
    assert.ok(isInside, `${what}: ${name} is out of sight: ${JSON.stringify(box)}`);
  }
  // The two jumps at the top stand over the page.
  const own = all.filter(({ name }) => !name.includes(".skip"));
  for (const [at, { name, box }] of own.entries()) {
    const next = own[at + 1];
    if (!next) break;
    assert.ok(isOnward(box, next.box), `${what}: from ${name} back to ${next.name}`);
  }
  return all.map(({ name }) => name);
}

test("the start form, opened and closed", async () => {
  await page.getByRole("heading", { name: "New run" }).waitFor();
  const closed = await wander("form");
  for (const summary of await page.locator("details summary").all()) await summary.click();
  const all = await wander("opened form");
  assert.ok(all.length > closed.length + 5, "what was closed is on the way now");
});

test("a run, tab by tab", async () => {
  await api(server).run({}, 3);
  await page.locator(".state-running").waitFor();
  save("focus.rhai", `${SCRIPT}\n`);
  await page.getByRole("button", { name: "Compare g1 ↔ g2" }).waitFor();
  await until("exceptions", async () => (await api(server).snapshot()).exceptions.length > 0);
  const tabs = await page.locator("nav.tabs a").all();
  assert.ok(tabs.length >= 9, `${tabs.length} tabs`);
  for (const tab of tabs) {
    const name = await tab.textContent();
    await tab.click();
    await page.locator("main :first-child").first().waitFor();
    const all = await wander(name);
    for (const control of ["users-now", "Stop"]) {
      assert.ok(all.join().includes(control), `${control} is on the way in ${name}`);
    }
  }
  const bar = save("focus.rhai", SCRIPT.replace("task(", "tasks("));
  await page.locator(".script-bar").waitFor();
  const all = await wander("with a message");
  assert.ok(
    all.some((name) => name.includes("Dismiss")),
    bar,
  );
  save("focus.rhai", SCRIPT);
  await page.locator(".script-bar").waitFor({ state: "detached" });
});

test("dialogs keep the focus and give it back", async () => {
  await page.locator("nav.tabs a").first().click();
  for (const name of ["Edit", "Note", "Keys", "Columns"]) {
    const button = page.getByRole("button", { name, exact: true });
    await button.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    for (let press = 0; press < 40; press++) {
      await page.keyboard.press("Tab");
      const where = await page.evaluate(() => {
        const own = document.activeElement;
        return own === document.body || own.closest("dialog") ? "" : own.outerHTML.slice(0, 80);
      });
      assert.equal(where, "", `${name} lets the focus out`);
    }
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.ok(await button.evaluate((own) => own === document.activeElement), `back on ${name}`);
  }
});

test("a phone", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const name of ["Statistics", "Failures", "Logs"]) {
    await page.locator("nav.tabs a", { hasText: name }).click();
    await wander(`${name} on a phone`);
  }
  await page.locator("nav.tabs a").first().click();
  await page.setViewportSize({ width: 1280, height: 800 });
});

/** Pictures of one element under each of these classes; all of them have to differ. */
async function differ(locator, variants) {
  const seen = new Map();
  for (const [name, change] of Object.entries(variants)) {
    await locator.evaluate(change);
    const picture = (await locator.screenshot()).toString("base64");
    assert.ok(!seen.has(picture), `${name} looks like ${seen.get(picture)}`);
    seen.set(picture, name);
  }
}

test("in forced colours states, lines, chips and what is chosen are told apart", async () => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ forcedColors: "active", colorScheme });
    const states = ["ready", "spawning", "running", "paused", "stopping", "stopped", "failed"];
    await page.evaluate(() => {
      const own = document.createElement("p");
      own.id = "sample";
      own.append(document.createElement("i"));
      document.querySelector("main").prepend(own);
    });
    const sample = page.locator("#sample");
    const as = (outer, inner, text = "") =>
      Function(
        "own",
        `own.className = ${JSON.stringify(outer)};
        own.firstChild.className = ${JSON.stringify(inner)};
        own.firstChild.textContent = ${JSON.stringify(text)};`,
      );
    await differ(
      sample,
      Object.fromEntries(states.map((state) => [state, as(`state state-${state}`, "dot")])),
    );
    await differ(sample, { healthy: as("health", "ring"), late: as("health late", "ring") });
    await differ(
      sample,
      Object.fromEntries(["p50", "p95", "p99"].map((q) => [q, as(`c-${q}`, "swatch")])),
    );
    await differ(sample, { chip: as("", "chip", "x"), chosen: as("", "chip on", "x") });
    await sample.evaluate((own) => own.remove());

    const [whole, last] = ["Whole run", "Last 60 s"].map((name) =>
      page.getByRole("button", { name }),
    );
    const edge = (button) =>
      button.evaluate((own) => Number.parseFloat(getComputedStyle(own).borderTopWidth));
    assert.ok((await edge(whole)) > (await edge(last)), "the window that is chosen has a frame");
    const shares = page.locator(".tabs a[aria-current]");
    assert.ok((await edge(shares)) > 0, "the tab that is chosen has one, too");
    await wander(`forced colours, ${colorScheme}`);
    await picture(page, `forced-${colorScheme}`);
  }
  await page.emulateMedia({ forcedColors: "none", colorScheme: "light" });
  // Samples, sizes and colours were this test's own doing.
  await page.evaluate(() => window.theShifts().splice(0));
  await page.calm();
});
