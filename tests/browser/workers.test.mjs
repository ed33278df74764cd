/** A master with two workers, one of which is killed: what the page says of them. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { api, browse, open, picture, serve, startWorker, theShop, until } from "./harness.mjs";
import { save } from "./scripts.mjs";

const SCRIPT = `user("Shopper", #{
    wait_time: constant(0.02),
    look: task(20, || { this.client.get("/hello"); }),
    tell: task(|| { print("looked around"); }),
});
`;

/** A port that was free a moment ago. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

/** The picture of what is shown, in both themes, and on a phone without scrolling sideways. */
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

let server;
let workers;

browse(
  "workers are shown, and one that is killed is named",
  async () => {
    const port = await freePort();
    const master = ["--master", "--master-bind-port", port, "--expect-workers", "2", "--autostart"];
    const script = save("shopper.rhai", SCRIPT);
    const load = ["-f", script, "-H", await theShop(), "-u", "20", "-r", "100"];
    server = await serve([...load, ...master]);
    workers = [await startWorker(port), await startWorker(port)];
    await api(server).second(4);
    return server.url;
  },
  async (page) => {
    const tab = page.locator("nav.tabs a", { hasText: "Workers" });
    // A busy machine may have its workers in trouble: then their number stands there.
    assert.match(await tab.locator(".badge").textContent(), /^[12]$/);
    await tab.click();
    const rows = page.locator("main tbody tr");
    await until("two rows at work", async () => {
      const states = await rows.locator(".worker-state b").allTextContents();
      const users = await rows.locator('[data-head="users"]').allTextContents();
      return states.join() === "running,running" && users.join() === "10,10";
    });
    const names = await rows.locator("th").allTextContents();
    assert.ok(
      names.every((name, number) => name.includes(`${number} ${hostname()}`)),
      String(names),
    );
    assert.match(await page.locator(".health").textContent(), /2 workers \d+ %|worker \d/);
    await pictures(page, "workers");

    await page.locator("nav.tabs a", { hasText: "Logs" }).click();
    const line = page.locator(".logs p", { hasText: `worker 1 (${hostname()}) Shopper` });
    await line.first().waitFor();
    await page.getByLabel("Of").selectOption("1");
    const shown = await page.locator(".logs p span").allTextContents();
    assert.ok(
      shown.every((text) => text.startsWith(`worker 1 (${hostname()})`)),
      String(shown),
    );
    await page.getByLabel("Of").selectOption("");
    await page.locator("nav.tabs a", { hasText: "Workers" }).click();

    await workers[0].stop();
    const bar = page.locator(".bar.error", { hasText: `(${hostname()}) is gone` });
    await bar.waitFor();
    assert.match(await bar.textContent(), /is in any figure: up to [\d,]+ requests/);
    assert.match(await tab.locator(".badge.bad").textContent(), /^[12]$/);
    assert.match(await page.locator(".health.late").textContent(), /worker \d \(.*\) gone/);
    const lost = page.locator("main tbody tr.lost");
    assert.match(await lost.locator(".worker-state").textContent(), /^ ?gone/);
    assert.match(await lost.locator('[data-head="missing"]').textContent(), /^≤ [\d,]+$/);
    // Its users are with the other one.
    await until("all users on one worker", async () => {
      const users = await rows.locator('[data-head="users"]').allTextContents();
      return users.sort().join() === "20,–";
    });
    await pictures(page, "workers-lost");
    await page.getByRole("button", { name: "Dismiss" }).first().click();
    await bar.waitFor({ state: "detached" });

    const report = await open(`${api(server).base}api/v1/report`);
    const part = report.locator("#part-workers tbody tr");
    assert.equal(await part.count(), 2);
    assert.match(await report.locator(".verdict").textContent(), /of 2 workers lost/);
    assert.match(await report.locator(".caveats .bad").first().textContent(), /^LOST: worker/);
    await pictures(report, "workers-report");
    await report.done();
  },
);
