/** What goes wrong in a run, as its tabs tell it: how often, where, through which functions, when. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { api, browse, open, picture, scratch, serve, theShop, until } from "./harness.mjs";
import { save } from "./scripts.mjs";

/** A page that tells local times in a zone of its own. */
const ELSEWHERE = { timezoneId: "Asia/Seoul" };

const SCRIPT = `import "basket" as basket;
user("Buyer", #{
    wait_time: constant(0.02),
    look: task(20, || { this.client.get("/hello"); }),
    buy: task(|| { basket::total([#{ price: 3 }, #{ prize: 4 }]); }),
});
`;

const BASKET = `fn price(goods) {
    if !("price" in goods) { throw "goods without a price"; }
    goods.price
}
fn total(all) {
    all.map(|one| price(one)).reduce(|sum, one| sum + one, 0)
}
`;

/** The picture of a tab, in both themes and on a phone, which must not scroll sideways. */
async function pictures(page, what) {
  for (const [width, height] of [
    [1280, 800],
    [390, 844],
  ]) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await picture(page, `${what}-${colorScheme}-${width}`);
    }
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${what} at ${width} px is ${over} px too wide`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: "light" });
}

/** As the page writes a moment of the run. */
const timeThere = (us) =>
  new Date(us / 1000).toLocaleTimeString("en-GB", { timeZone: ELSEWHERE.timezoneId });

let server;

browse(
  "an exception tells where, through which functions, and when",
  async () => {
    save("basket.rhai", BASKET);
    const script = save("buyer.rhai", SCRIPT);
    server = await serve(["-f", script, "-H", await theShop(), "-u", "2", "-r", "100"]);
    await api(server).run({}, 3);
    return server.url;
  },
  async (page) => {
    const { get, snapshot } = api(server);
    await page.locator("nav.tabs a", { hasText: "Exceptions" }).click();
    const row = page.locator("main tbody tr", { hasText: "goods without a price" });
    await row.waitFor();
    const [told] = (await get("api/v1/exceptions")).rows;
    const place = /\/(basket\.rhai:2:\d+)$/.exec(told.location)[1];
    const heads = await page.locator("main thead th").allTextContents();
    assert.deepEqual(heads, ["Count", "Message", "Where", "When", "First seen", "Last seen UTC+9"]);

    const { head } = await snapshot();
    const first = row.locator("td").nth(4);
    assert.equal(await first.textContent(), timeThere(head.epoch_us + told.first_us));
    const last = row.locator("td").nth(5);
    const shown = await last.textContent();
    assert.ok(shown >= (await first.textContent()), shown);
    await until("another one", async () => (await last.textContent()) > shown);

    const stack = row.locator("details li");
    assert.equal(await stack.first().isVisible(), false, "the call stack is folded");
    await row.locator("summary").click();
    const frames = await stack.allTextContents();
    assert.equal(frames[0], `price ${place}`);
    assert.match(frames.at(-1), /^the task `buy` buyer\.rhai:5:\d+$/);
    assert.ok(
      frames.some((frame) => /^total basket\.rhai:6:/.test(frame)),
      String(frames),
    );
    await pictures(page, "exceptions");
    // Open it stays while figures come.
    const count = async () => Number(await row.locator("td").first().textContent());
    const before = await count();
    await until("more of them", async () => (await count()) > before);
    assert.ok(await stack.first().isVisible());

    await stack.last().getByRole("button").click();
    const goal = page.locator(".goal-line");
    await goal.waitFor();
    assert.match(await goal.textContent(), /buy: task/);
    await page.locator("nav.tabs a", { hasText: "Exceptions" }).click();
    await row.locator("td").nth(2).getByRole("button", { name: place }).click();
    await until("the other file", async () => /goods without/.test(await goal.textContent()));
  },
  ELSEWHERE,
);

/** Fails in a burst after two seconds or so, and now and then all the time. */
const BURSTS = `
user("Caller", #{
    wait_time: constant(0.05),
    state: #{ calls: 0 },
    ring: task(|| {
        this.calls += 1;
        if this.calls > 40 && this.calls < 60 { this.client.get("/status/503"); }
        if this.calls % 9 == 1 { this.client.get("/status/404"); }
        this.client.get("/hello");
    }),
});
`;

/** What the sparkline in the row with that text says, and the spans its bars take of its width. */
async function sparkline(page, text) {
  const row = page.locator("tbody tr", { hasText: text }).first();
  const drawing = row.getByRole("img", { name: /^peak / });
  await drawing.waitFor();
  const path = await drawing.locator("path").last().getAttribute("d");
  const spans = [...path.matchAll(/M([\d.]+) [^h]*h([\d.]+)/g)].map((found) => {
    const [left, width] = [Number(found[1]) / 120, Number(found[2]) / 120];
    return [left, left + width];
  });
  return { label: await drawing.getAttribute("aria-label"), spans, drawing };
}

/** In the page's own units of brightness, the ground and what the bars are filled with. */
const colours = (drawing) =>
  drawing.evaluate((svg) => [
    getComputedStyle(document.body).backgroundColor,
    getComputedStyle(svg.querySelector("path:last-child")).fill,
  ]);

browse(
  "a failure shows when it happened, after a reload and in the report too",
  async () => {
    await server.stop();
    const script = save("bursts.rhai", BURSTS);
    server = await serve(["-f", script, "-H", await theShop(), "-u", "4", "-r", "100"]);
    await api(server).run({}, 6);
    await api(server).stop();
    return `${server.url}/#failures`;
  },
  async (page) => {
    const { get, snapshot } = api(server);
    const { rows } = await get("api/v1/errors");
    const { head, seconds } = await snapshot();
    const [burst, steady] = ["503", "404"].map((status) =>
      rows.find((row) => row.error.includes(status)),
    );
    const total = (trace) => trace.counts.reduce((sum, count) => sum + count, 0);
    for (const row of [burst, steady]) assert.equal(total(row.trace), row.count);
    const at = (trace) => trace.from + trace.counts.indexOf(Math.max(...trace.counts));
    const label = ({ trace }) =>
      `peak ${Math.max(...trace.counts)} in ${trace.step} s at ${timeThere(head.epoch_us + at(trace) * 1e6)}`;

    const length = seconds.requests.length;
    const first = await sparkline(page, burst.error);
    assert.equal(first.label, label(burst));
    const [begin, end] = [first.spans[0][0], first.spans.at(-1)[1]].map((part) => part * length);
    assert.ok(Math.abs(begin - burst.trace.from) < 0.1, `from ${begin}, not ${burst.trace.from}`);
    assert.ok(begin > 1 && end < length - 1, `${begin} to ${end} of ${length} s`);
    const all = await sparkline(page, steady.error);
    assert.equal(all.label, label(steady));
    assert.ok(all.spans.length > first.spans.length && all.spans[0][0] === 0);

    await pictures(page, "failures");
    for (const media of [
      { colorScheme: "light" },
      { colorScheme: "dark" },
      { forcedColors: "active" },
    ]) {
      await page.emulateMedia(media);
      const [ground, fill] = await colours(first.drawing);
      assert.notEqual(fill, ground, JSON.stringify(media));
    }
    await picture(page, "failures-forced");
    await page.emulateMedia({ forcedColors: "none", colorScheme: "light" });

    await page.reload();
    assert.deepEqual(
      { ...(await sparkline(page, burst.error)), drawing: 0 },
      { ...first, drawing: 0 },
    );
    const path = join(scratch, "bursts.html");
    writeFileSync(path, await get("api/v1/report"));
    const report = await open(pathToFileURL(path).href, { offline: true, ...ELSEWHERE });
    const kept = await sparkline(report, burst.error);
    assert.deepEqual([kept.label, kept.spans], [first.label, first.spans]);
    await kept.drawing.scrollIntoViewIfNeeded();
    await picture(report, "failures-report");
    await report.done();
  },
  ELSEWHERE,
);
