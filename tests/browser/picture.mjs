/** Makes docs/ui.png: the demo's shop under load, with a save of the script in mid-run. */

import { copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { api, cells, open, ROOT, scratch, serve, theShop, until } from "./harness.mjs";

const MOST_BYTES = 250_000;

test("the picture for the README", async () => {
  const script = join(scratch, "coupon.rhai");
  copyFileSync(join(ROOT, "scripts/coupon.rhai"), script);
  const server = await serve([
    "-f",
    script,
    "-H",
    await theShop(),
    "--watch",
    "-u",
    "50",
    "-r",
    "10",
  ]);
  const { run, second } = api(server);
  await run({}, 14);
  const text = readFileSync(script, "utf8");
  writeFileSync(script, text.replace("browse: task(2,", "browse: task(6,"));
  const page = await open(server.url);
  await page.getByRole("button", { name: "Compare g1 ↔ g2" }).waitFor();
  await second(42);
  await until("the table", () => cells(page, "/coupons"));
  const path = join(ROOT, "docs/ui.png");
  await page.screenshot({ path });
  const { size } = statSync(path);
  if (size > MOST_BYTES) throw new Error(`${path} has ${size} bytes`);
  await page.done();
});
