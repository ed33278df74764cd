/** What leaves the server as a file: the CSVs, the JSON document, and the report, which needs no server. */

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { api, browse, open, picture, scratch, serve, theShop, until } from "./harness.mjs";
import { save } from "./scripts.mjs";

const MOST_REPORT_BYTES = 4 << 20;

let server;
let report;

const SCRIPT = `
user("Mixed", #{
    wait_time: constant(0.02),
    look: task(3, || {
        this.client.get("/hello");
    }),
    fail: task(|| {
        this.client.get("/status/500");
    }),
    raise: task(|| {
        throw "thrown, with \\"quotes\\" and, commas";
    }),
});
`;

async function download(page, link) {
  const [file] = await Promise.all([page.waitForEvent("download"), link.click()]);
  const path = join(scratch, `downloaded-${file.suggestedFilename()}`);
  await file.saveAs(path);
  return { path, name: file.suggestedFilename() };
}

browse(
  "downloads are, byte for byte, what --csv writes",
  async () => {
    const options = ["-u", "3", "-r", "100", "--csv", join(scratch, "run")];
    server = await serve(["-f", save("mixed.rhai", SCRIPT), "-H", await theShop(), ...options]);
    await api(server).run({ label: "of the tests" }, 3);
    await api(server).stop();
    return `${server.url}/#download`;
  },
  async (page) => {
    const files = [
      ["Requests", "run_stats.csv"],
      ["Failures", "run_failures.csv"],
      ["Exceptions", "run_exceptions.csv"],
    ];
    for (const [name, written] of files) {
      const { path } = await download(page, page.locator(".files a", { hasText: name }));
      const expected = await until(written, () => {
        try {
          return readFileSync(join(scratch, written), "utf8");
        } catch {
          return null;
        }
      });
      assert.equal(readFileSync(path, "utf8"), expected, written);
      assert.ok(expected.split("\n").length > 2, `${written} has rows`);
    }
    // The history comes from the timeline, which knows late samples as well: its last row is the total.
    const history = await download(page, page.locator(".files a", { hasText: "Full history" }));
    const [head, ...rows] = readFileSync(history.path, "utf8").trim().split("\r\n");
    const written = readFileSync(join(scratch, "run_stats_history.csv"), "utf8").split("\r\n");
    assert.equal(head, written[0]);
    const column = head.split(",").indexOf("Total Request Count");
    const { path } = await download(page, page.locator(".files a", { hasText: "JSON" }));
    const { document } = JSON.parse(readFileSync(path, "utf8"));
    assert.equal(document.total.requests, (await api(server).snapshot()).rows[0][1]);
    assert.equal(Number(rows.at(-1).split(",")[column]), document.total.requests);
    report = (await download(page, page.getByRole("link", { name: "Save" }))).path;
  },
);

test("the report works from disk with the network off", async () => {
  assert.ok(statSync(report).size < MOST_REPORT_BYTES, `${statSync(report).size} bytes`);
  const { rows } = await api(server).snapshot();
  await server.stop();
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(pathToFileURL(report).href, { offline: true, colorScheme });
    await page.getByText("of the tests").first().waitFor();
    const total = page
      .locator("tr", { has: page.getByRole("rowheader", { name: "Aggregated" }) })
      .first();
    const requests = () => total.locator("td").nth(1).textContent();
    const whole = rows[0][1].toLocaleString("en-US");
    await until("the total", async () => (await requests()) === whole);
    assert.ok((await page.locator(".panel canvas").count()) >= 3);
    const ratios = page.locator("#part-ratio .tree");
    await ratios.getByText("Mixed", { exact: true }).first().waitFor();
    const shares = await ratios.first().locator("li p").allTextContents();
    const expected = ["Mixed100.0 %", "fail20.0 %", "look60.0 %", "raise20.0 %"];
    assert.deepEqual(shares, expected, "tasks by weight");
    assert.equal(await page.locator("#part-percentiles thead th").count(), 2 + 11 + 1);
    const over = page.locator(".panel .u-over").first();
    await over.scrollIntoViewIfNeeded();
    const box = await over.boundingBox();
    await page.mouse.move(box.x + box.width * 0.25, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.45, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await until("fewer requests in a window", async () => (await requests()) !== whole);
    await page.keyboard.press("Escape");
    await until("the whole run", async () => (await requests()) === whole);
    await page.screenshot({ path: join(scratch, "report.png"), fullPage: true });
    await picture(page, `report-${colorScheme}`);
    await page.emulateMedia({ media: "print" });
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.match(ground, /^rgb\(255, 255, 255\)$|^rgba\(0, 0, 0, 0\)$/, "prints on white");
    // Paper does not scroll: whatever would, is as high as what is in it.
    const cut = await page.evaluate(() => {
      const areas = [...document.querySelectorAll(".grid, .scroll, .logs, .script, .long")];
      const isCut = ({ scrollHeight, clientHeight }) => scrollHeight > clientHeight + 1;
      return areas.filter(isCut).map(({ className }) => className);
    });
    assert.deepEqual(cut, [], "prints all of it");
    await picture(page, `report-print-${colorScheme}`);
    await page.done();
  }
});
