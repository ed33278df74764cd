/** Saves of the script while users are at work, and a run that is steered. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { api, browse, cells, open, picture, serve, theShop, until } from "./harness.mjs";
import { greeter, save } from "./scripts.mjs";

let server;

browse(
  "a save makes a mark and a generation that can be compared; a broken one a bar",
  async () => {
    const path = save("saved.rhai", greeter());
    server = await serve(["-f", path, "-H", await theShop(), "--watch", "-u", "4", "-r", "100"]);
    await api(server).run({}, 1);
    return server.url;
  },
  async (page) => {
    const { get, second, state, is, stop } = api(server);
    save("saved.rhai", greeter({ path: "/delay/20" }));
    await page.getByRole("button", { name: "Compare g1 ↔ g2" }).waitFor();
    await until(
      "requests of the new generation",
      async () => Number((await cells(page, "/delay/20"))?.[2]) > 0,
    );
    assert.match(await page.locator("nav.tabs a", { hasText: "Script" }).textContent(), /g2/);
    const marks = (await get("api/v1/snapshot")).marks.filter((mark) => mark.kind === "reload");
    assert.deepEqual(
      marks.map((mark) => mark.value),
      [2],
    );

    save("saved.rhai", greeter().replace("task(|| {", "tasks(|| {"));
    const bar = page.locator(".script-bar");
    await bar.getByText("tasks").first().waitFor();
    await bar.getByText("Generation 2 goes on").waitFor();
    await picture(page, "broken-save");
    const { t } = await state();
    await second(t + 1);
    assert.ok((await state()).rps > 0, "the load goes on");
    save("saved.rhai", greeter({ path: "/delay/20" }));
    await bar.waitFor({ state: "detached" });

    await stop();
    await is("stopped");
    await page.getByRole("button", { name: "Compare g1 ↔ g2" }).click();
    await page.locator(".compare").first().waitFor();
    const [before, after] = (await get("api/v1/snapshot")).by_generation;
    const both = await get("api/v1/compare?a=1/gen:1&b=1/gen:2");
    assert.equal(both.a.rows[0][1], before.rows[0][1]);
    assert.equal(both.b.rows[0][1], after.rows[0][1]);
    const counts = (rows) => rows[0][1].toLocaleString("en-US");
    const total = page
      .locator("tr", { has: page.getByRole("rowheader", { name: "Aggregated" }) })
      .first();
    assert.equal(
      (await total.locator("td").nth(1).textContent()).replace(/\s/g, ""),
      `${counts(before.rows)}→${counts(after.rows)}`,
    );
    const median = total.locator(".change").first();
    assert.ok(
      Number((await median.locator(".pair").textContent()).split("→")[1]) >= 20,
      "p50 of /delay/20",
    );
    await median.locator(".delta.worse").waitFor();
    await picture(page, "compare");
  },
);

test("users go up and down from two tabs, and both show it", async () => {
  const { call, run, stop } = api(server);
  await run({ users: 4, spawn_rate: 100 }, 1);
  const one = await open(server.url);
  const two = await open(server.url);
  const ask = async (page, users) => {
    await page.keyboard.press("e");
    await page.keyboard.type(String(users));
    await page.keyboard.press("Enter");
  };
  const both = (users) =>
    Promise.all(
      [one, two].map((page) =>
        until(`${users} users on both`, async () =>
          (await page.locator(".figures p").first().textContent()).includes(`${users}/${users}`),
        ),
      ),
    );
  await both(4);
  await ask(one, 9);
  await both(9);
  await ask(two, 3);
  await both(3);
  const refused = await call("PATCH", "api/v1/run", { users: 5, run: 99 });
  assert.equal(refused.status, 409);
  const marks = (await api(server).snapshot()).marks.filter((mark) => mark.kind === "users");
  assert.deepEqual(
    marks.map((mark) => mark.value),
    [9, 3],
  );
  await one.done();
  await two.done();
  await stop();
});

browse(
  "a note stands on the axis, and a reset starts figures anew but no history",
  async () => {
    await api(server).run({ users: 4, spawn_rate: 100 }, 2);
    return server.url;
  },
  async (page) => {
    const { snapshot } = api(server);
    await page.locator(".state-running").waitFor();
    await page.keyboard.press("n");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.type("cache switched on");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    const before = (await snapshot()).rows[0][1];
    await page.getByRole("button", { name: "Reset" }).click();
    await page.getByRole("button", { name: "Since reset" }).click();
    const count = async () => Number((await cells(page, "Aggregated"))[2]);
    await until("figures from the reset on", async () => (await count()) < before);
    await page.getByRole("button", { name: "Whole run" }).click();
    await until("figures of the whole run", async () => (await count()) >= before);
    const { marks, since_us, seconds } = await snapshot();
    assert.deepEqual(
      marks.filter(({ kind }) => kind === "note").map(({ text }) => text),
      ["cache switched on"],
    );
    assert.equal(marks.filter(({ kind }) => kind === "reset").length, 1);
    assert.ok(since_us > 0);
    assert.ok(seconds.requests.reduce((a, b) => a + b, 0) >= before, "the history stays");
  },
);

browse(
  "a run is paused and goes on",
  () => server.url,
  async (page) => {
    const { state, snapshot } = api(server);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.locator(".state-paused").waitFor();
    await until("a paused second without a request", async () => {
      const { seconds } = await snapshot();
      return seconds.paused.some((isPaused, at) => isPaused && seconds.requests[at] === 0);
    });
    await picture(page, "paused");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator(".state-running").waitFor();
    await until("requests again", async () => (await state()).rps > 0);
  },
);

browse(
  "a page that is loaded anew shows the same seconds",
  () => server.url,
  async (page) => {
    const chart = page.getByRole("button", { name: "Requests as a table" });
    const table = async () => {
      await page.locator(".panel").first().hover();
      await chart.click();
      const rows = await page.locator("dialog tbody tr").allTextContents();
      await page.keyboard.press("Escape");
      return rows.reverse();
    };
    await api(server).second(4);
    await until("four seconds", async () => (await table()).length >= 4);
    const before = await table();
    await page.reload();
    await page.locator(".state-running").waitFor();
    const after = await table();
    assert.ok(after.length >= before.length);
    // The last second may get a late sample; the ones before it are closed.
    assert.deepEqual(after.slice(0, before.length - 2), before.slice(0, -2));
  },
);

browse(
  "a run is stopped, another begins, and both are listed and compared",
  () => server.url,
  async (page) => {
    const { get } = api(server);
    const runs = (await get("api/v1/runs")).runs.length;
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "New run" }).click();
    await page.getByRole("button", { name: "Start" }).waitFor();
    await page.evaluate(() => {
      window.states = [];
      const look = () => {
        const state = document.querySelector(".run-screen .state")?.className;
        if (state) window.states.push(state);
      };
      new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
    });
    await page.getByRole("button", { name: "Start" }).click();
    await page.locator(".state-running").waitFor();
    const states = await page.evaluate(() => window.states);
    assert.ok(!states.some((state) => /stopped/.test(state)), `the old run flashes: ${states}`);
    await until(
      "requests of the new run",
      async () => Number((await cells(page, "Aggregated"))?.[2]) > 5,
    );
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "New run" }).waitFor();
    await page.getByRole("button", { name: /^Runs/ }).click();
    const rows = page.locator("#runs tbody tr");
    await until("the new run in the list", async () => (await rows.count()) === runs + 1);
    await picture(page, "runs");
    await rows.nth(0).getByRole("checkbox").check();
    await rows.nth(1).getByRole("checkbox").check();
    await page.getByRole("button", { name: /^Compare run/ }).click();
    await page.getByText(`run ${runs} → run ${runs + 1}`).waitFor();
    await page.getByRole("button", { name: /^Runs/ }).click();
    await page.locator("#runs tbody tr").last().getByRole("button").click();
    await page.getByText("Back to the current run").waitFor();
    const { total } = (await get("api/v1/runs/1")).document;
    await until(
      "the first run's figures",
      async () => (await cells(page, "Aggregated"))?.[2] === total.requests.toLocaleString("en-US"),
    );
  },
);
