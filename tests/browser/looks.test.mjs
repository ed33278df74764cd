/** Every screen in both themes: no violation that axe finds, and pictures at three sizes to look at. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { api, open, picture, serve, theShop, until } from "./harness.mjs";
import { greeter, PARAMETERS, save } from "./scripts.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const SCRIPT = `
const LANGUAGE = param("language", "en", #{ help: "Accept-Language to send", choices: ["en", "ko"] });
user("Shopper", #{
    weight: 3,
    wait_time: constant(0.02),
    look: task(20, || {
        let r = this.client.get("/hello");
        r.check("greets", r.status == 200);
    }),
    fail: task(|| { this.client.get("/status/500"); }),
});
user("Visitor", #{
    wait_time: constant(0.1),
    raise: task(|| { throw "no such coupon"; }),
});
`;

let server;
let page;

before(async () => {
  server = await serve([
    "-f",
    save("looks.rhai", SCRIPT),
    "-H",
    await theShop(),
    "--watch",
    "-u",
    "6",
    "-r",
    "100",
  ]);
  page = await open(server.url, { allow: /status of 422/ });
});

after(() => page.context().close());

/** What axe finds on the page as it stands, in light and in dark. */
async function accessible(what) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(`window.axe ?? (() => {${AXE}})(); 0`);
    const found = await page.evaluate(async () => {
      const { violations, passes } = await window.axe.run(document, {
        resultTypes: ["violations"],
      });
      const words = ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`;
      return { violations: violations.map(words), passed: passes.length };
    });
    assert.deepEqual(found.violations, [], `${what}, ${colorScheme}`);
    assert.ok(found.passed > 10, `axe looked at ${what}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
}

const SIZES = [
  [1280, 800],
  [1920, 1080],
  [390, 844],
];

async function pictures(what) {
  for (const [width, height] of SIZES) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      // Charts are drawn anew in the new colours and sizes in the frame after next.
      await page.evaluate(
        () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
      );
      await picture(page, `${what}-${colorScheme}-${width}x${height}`);
    }
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${what} at ${width} px is ${over} px too wide`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: "light" });
}

test("the start form, and one whose script is broken", async () => {
  await page.getByRole("heading", { name: "New run" }).waitFor();
  for (const summary of await page.locator("details summary").all()) await summary.click();
  await accessible("form");
  await pictures("form");
  save("looks.rhai", SCRIPT.replace("task(20", "tasks(20"));
  await page.locator(".mistakes").waitFor();
  await accessible("broken form");
  save("looks.rhai", SCRIPT);
  await page.locator(".mistakes").waitFor({ state: "detached" });
});

test("a run, tab by tab", async () => {
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator(".state-running").waitFor();
  await api(server).second(2);
  save("looks.rhai", `${SCRIPT}\n`);
  await page.getByRole("button", { name: "Compare g1 ↔ g2" }).waitFor();
  await api(server).second(4);
  const tabs = await page.locator("nav.tabs a").allTextContents();
  assert.ok(tabs.length >= 8, String(tabs));
  for (const tab of await page.locator("nav.tabs a").all()) {
    await tab.click();
    await page.locator("main :first-child").first().waitFor();
    await accessible(await tab.textContent());
    await picture(page, `tab-${(await tab.textContent()).replace(/\W+/g, "")}`);
  }
});

test("dialogs and menus", async () => {
  await page.locator("nav.tabs a").first().click();
  for (const name of ["Edit", "Note", "Keys", "Columns"]) {
    await page.getByRole("button", { name, exact: true }).click();
    await page.getByRole("dialog").waitFor();
    await accessible(name);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
  await page.getByRole("button", { name: /^Runs/ }).click();
  await page.locator("#runs").waitFor();
  await accessible("runs");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Compare g1 ↔ g2" }).click();
  await page.locator(".compare").first().waitFor();
  await accessible("comparison");
  await page.keyboard.press("Escape");
});

test("a run at three sizes, and a narrow one that is steered", async () => {
  await pictures("run");
  await page.setViewportSize({ width: 390, height: 844 });
  await accessible("narrow");
  await page.locator(".bottombar").getByRole("button", { name: "Stop" }).click();
  await page.locator(".bottombar").getByRole("button", { name: "New run" }).waitFor();
  await page.setViewportSize({ width: 1280, height: 800 });
  await accessible("stopped");
  await pictures("stopped");
});

test("the log-in", async () => {
  const options = ["--web-host", "0.0.0.0", "--web-token", "a-token-of-the-tests"];
  const other = await serve([
    "-f",
    save("greeter.rhai", greeter({ more: PARAMETERS.split("user(")[0] })),
    ...options,
  ]);
  await page.context().close();
  page = await open(`http://127.0.0.1:${new URL(other.url).port}/`, { allow: /status of 401/ });
  await page.getByLabel("Token").waitFor();
  await accessible("log-in");
  await pictures("login");
  await until("the focus in the field", () =>
    page.evaluate(() => document.activeElement?.type === "password"),
  );
});
