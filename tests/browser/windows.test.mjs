/** Windows of a run, many names, and names that would be markup. */

import assert from "node:assert/strict";
import { before } from "node:test";
import { api, browse, cells, picture, serve, theShop, until } from "./harness.mjs";
import { greeter, manyNames, save } from "./scripts.mjs";

let server;
let shop;

before(async () => {
  shop = await theShop();
  const script = save("windows.rhai", greeter({ wait: 20 }));
  server = await serve(["-f", script, "-H", shop, "-u", "5", "-r", "100"]);
  await api(server).run({}, 4);
  await api(server).stop();
});

const range = (page) =>
  page.evaluate(() => /w=(\d+)-(\d+)/.exec(location.hash)?.slice(1).map(Number));

/** The row of the total in the table is that of `/window`, number by number. */
async function sameAsWindow(page, [from, to]) {
  const { rows } = await api(server).get(`api/v1/window?run=1&from=${from}&to=${to}`);
  const ms = (us) => {
    const value = us / 1000;
    return value >= 99.95 ? value.toFixed(0) : value.toPrecision(3);
  };
  const row = rows[0];
  await until(
    "the window's requests",
    async () => (await cells(page, "Aggregated"))[2] === row[1].toLocaleString("en-US"),
  );
  const shown = await cells(page, "Aggregated");
  assert.deepEqual(
    shown.slice(4, 7).map(Number),
    [row[3], row[8], row[10]].map((us) => Number(ms(us))),
  );
  return row[1];
}

browse(
  "the table of a brushed window is what `/window` says",
  () => server.url,
  async (page) => {
    const over = page.locator(".panel .u-over").first();
    const box = await over.boundingBox();
    const { t } = await api(server).state();
    const at = (second) => box.x + (box.width * second) / Math.max(5, t - 1);
    await page.mouse.move(at(1.2), box.y + 40);
    await page.mouse.down();
    await page.mouse.move(at(2), box.y + 45, { steps: 4 });
    await page.mouse.move(at(2.8), box.y + 50);
    await page.mouse.up();
    const window = await until("a window in the address", () => range(page));
    assert.deepEqual(window, [1, 3]);
    const part = await sameAsWindow(page, window);
    const whole = (await api(server).snapshot()).rows[0][1];
    assert.ok(part < whole && part > 0, `${part} of ${whole}`);
    await picture(page, "window");
    await page.keyboard.press("Escape");
    await until(
      "the whole run",
      async () => (await cells(page, "Aggregated"))[2] === whole.toLocaleString("en-US"),
    );
    assert.equal(await range(page), undefined);
  },
);

browse(
  "a window is widened from the keyboard",
  () => server.url,
  async (page) => {
    const plot = page.locator(".panel .plot").first();
    await plot.focus();
    for (const key of ["ArrowLeft", "ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft"])
      await page.keyboard.press(key);
    const window = await until("a window in the address", () => range(page));
    assert.ok(window[1] - window[0] >= 2, String(window));
    await sameAsWindow(page, window);
  },
);

browse(
  "five hundred names: nothing jumps, the order holds under the pointer, search finds all",
  async () => {
    const script = save("many.rhai", manyNames(500));
    server = await serve(["-f", script, "-H", shop, "-u", "10", "-r", "100"]);
    await api(server).run({}, 1);
    await until("all names", async () => (await api(server).snapshot()).names.length === 501);
    return server.url;
  },
  async (page) => {
    const { snapshot, stop } = api(server);
    const grid = page.locator(".grid");
    const rows = async () => Number(await grid.locator("table").getAttribute("aria-rowcount"));
    await until("all names on the page", async () => (await rows()) === 501);
    assert.ok((await grid.locator("tbody tr").count()) < 80, "only rows in sight are in the page");

    await page.getByRole("button", { name: "# Req" }).click();
    const names = () =>
      grid.locator("tbody th").evaluateAll((all) => all.slice(0, 8).map((one) => one.textContent));
    await grid.hover({ position: { x: 300, y: 120 } });
    const held = await names();
    const { t } = await snapshot();
    await api(server).second(t + 2);
    assert.deepEqual(await names(), held, "rows stay where they are under the pointer");

    const field = page.getByRole("searchbox");
    // Typed, since a field that a test fills is no input of a person to the browser.
    const search = async (text) => {
      await field.click();
      await page.keyboard.press("ControlOrMeta+a");
      if (text) await page.keyboard.type(text);
      else await page.keyboard.press("Delete");
    };
    for (const name of ["/products/7", "/products/499"]) {
      await search(name);
      await until(name, () => cells(page, name));
    }
    await search("no such name");
    await page.getByText("no name has “no such name”").waitFor();
    await search("");
    await until("all names again", async () => (await rows()) === 501);
    await page.getByRole("button", { name: "Name", exact: true }).click();
    const last = "/products/99";
    await until("the last row", async () => {
      await grid.evaluate((element) => element.scrollTo({ top: element.scrollHeight }));
      return cells(page, last);
    });
    await page.getByRole("button", { name: last, exact: true }).click();
    await until("the name in the address", () => page.evaluate(() => /s=\d+/.test(location.hash)));
    await picture(page, "names-500");
    const session = await page.context().newCDPSession(page);
    // Of the page's thread: of wall-clock time, a machine that is busy otherwise would add its own.
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const busy = async () => {
      const { metrics } = await session.send("Performance.getMetrics");
      const value = (name) => metrics.find((metric) => metric.name === name).value;
      return { task: value("TaskDuration"), at: value("Timestamp") };
    };
    const began = await busy();
    await api(server).second((await snapshot()).t + 2);
    const ended = await busy();
    const share = (ended.task - began.task) / (ended.at - began.at);
    console.log(`the page with 500 names takes ${(share * 100).toFixed(1)} % of a core`);
    assert.ok(share < 0.5, `the page takes ${(share * 100).toFixed(0)} % of a core`);
    await stop();
  },
);

const HOSTILE = `<img src=x onerror="window.hacked=1">`;
const REVERSED = "\u202Egnirts";
const LONG = "x".repeat(10_000);

browse(
  "names, errors, checks and labels are text, whatever stands in them",
  async () => {
    const script = save(
      "hostile.rhai",
      `
user("Hostile", #{
    wait_time: constant(0.05),
    look: task(|| {
        let r = this.client.get("/hello", #{ name: \`${HOSTILE}\` });
        log_warn(\`${HOSTILE} said\`);
        r.failure(\`${HOSTILE} failed\`);
        this.client.get("/hello", #{ name: \`/${REVERSED}\` });
        this.client.get("/hello", #{ name: \`/${LONG}\` });
        r.check(\`${HOSTILE} holds\`, true);
        throw \`${HOSTILE} thrown ${LONG}\`;
    }),
});
`,
    );
    server = await serve(["-f", script, "-H", shop, "-u", "2", "-r", "100"]);
    await api(server).run({ label: HOSTILE }, 1);
    return server.url;
  },
  async (page) => {
    await until("the hostile name", () => cells(page, HOSTILE));
    await api(server).call("POST", "api/v1/run/note", { text: HOSTILE });
    const widest = () =>
      page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
    for (const tab of ["Statistics", "Failures", "Exceptions", "Checks", "Script", "Logs"]) {
      await page.locator("nav.tabs a", { hasText: tab }).click();
      await page.locator("main").getByText("onerror").first().waitFor();
      assert.equal(await widest(), 0, `${tab} makes the page scroll sideways`);
      await picture(page, `hostile-${tab.toLowerCase()}`);
    }
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    await api(server).stop();
  },
);
