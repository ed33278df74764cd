/** What goes wrong in a run, as its tabs tell it: how often, where, through which functions, when. */

import assert from "node:assert/strict";
import { api, browse, picture, serve, theShop, until } from "./harness.mjs";
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
    assert.deepEqual(heads, ["Count", "Message", "Where", "First seen", "Last seen UTC+9"]);

    const { head } = await snapshot();
    const first = row.locator("td").nth(3);
    assert.equal(await first.textContent(), timeThere(head.epoch_us + told.first_us));
    const last = row.locator("td").nth(4);
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
