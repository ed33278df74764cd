/** The start form: from a keyboard, with wrong values, with parameters, with a script that is broken. */

import assert from "node:assert/strict";
import { before } from "node:test";
import { api, browse, cells, picture, serve, theShop, until } from "./harness.mjs";
import { greeter, PARAMETERS, SECRET, save } from "./scripts.mjs";

let server;
let shop;

before(async () => {
  shop = await theShop();
  server = await serve(["-f", save("greeter.rhai", greeter())]);
});

browse(
  "a run is started from the keyboard, and has numbers within two seconds",
  () => server.url,
  async (page) => {
    await page.waitForFunction(() =>
      document.activeElement?.closest("label")?.textContent.startsWith("Users"),
    );
    await picture(page, "form-light-1280x800");
    await page.keyboard.type("5");
    await page.keyboard.press("Tab");
    await page.keyboard.type("50");
    await page.keyboard.press("Tab");
    await page.keyboard.type(shop);
    await page.locator(".plan").getByText("5 users", { exact: false }).first().waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".state-running").waitFor();
    const began = Date.now();
    await until("numbers of /hello", async () => Number((await cells(page, "/hello"))?.[2]) > 0);
    // A second has to end before it can be shown; the rest is leave for a slow machine.
    assert.ok(Date.now() - began < 4000, `the first numbers took ${Date.now() - began} ms`);
    const total = await cells(page, "Aggregated");
    assert.match(total[2], /^\d+$/);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "New run" }).waitFor();
  },
);

browse(
  "what is wrong stands at its field, and nothing starts",
  () => server.url,
  async (page) => {
    const { get } = api(server);
    const runs = (await get("api/v1/runs")).runs.length;
    await page.getByRole("button", { name: "New run" }).click();
    const button = page.getByRole("button", { name: "Start" });
    const wrongs = [
      [/^Host/, "nowhere at all"],
      [/^Ramp up/, "0"],
      [/^Users/, "-3"],
      [/^Run time/, "soon"],
    ];
    for (const [label, value] of wrongs) {
      const field = page.locator("label.field", { hasText: label }).first();
      const input = field.locator("input");
      const right = await input.inputValue();
      await input.fill(value);
      await field.getByRole("alert").waitFor();
      assert.notEqual(await field.getByRole("alert").textContent(), "");
      assert.ok(await button.isDisabled(), `Start with ${value}`);
      await input.press("Enter");
      await input.fill(right);
      await field.getByRole("alert").waitFor({ state: "detached" });
    }
    await until("Start to be possible again", () => button.isEnabled());
    const refused = await api(server).call("POST", "api/v1/runs", { classes: ["Nobody"] });
    assert.equal(refused.status, 422);
    assert.equal(refused.body.field, "classes");
    assert.equal((await get("api/v1/runs")).runs.length, runs);
    assert.equal((await get("api/v1/state")).state, "stopped");
  },
  { allow: /status of 422/ },
);

browse(
  "parameters of all types reach the script, and a secret reaches nothing else",
  async () => {
    server = await serve(["-f", save("parameters.rhai", PARAMETERS), "-H", shop]);
    return server.url;
  },
  async (page) => {
    await page.locator("summary", { hasText: "Script parameters" }).click();
    await page.getByLabel("language").selectOption("ko");
    const button = page.getByRole("button", { name: "Start" });
    const wrong = page.locator("label.field", { hasText: "pages" }).getByRole("alert");
    await page.getByLabel("pages").fill("seven");
    await wrong.getByText("`seven` is not a whole number").waitFor();
    assert.ok(await button.isDisabled(), "Start with a word for a number");
    await page.getByLabel("pages").fill("");
    await wrong.waitFor({ state: "detached" });
    await page.getByLabel("factor").fill("many");
    await page.locator("form").getByText("`many` is not a number").waitFor();
    await page.getByLabel("factor").fill("2.5");
    await page.getByLabel("polite").check();
    await page.getByRole("group", { name: "sections" }).getByLabel("sale").check();
    await page.getByLabel("greeting").fill("bonjour");
    const secret = page.getByLabel("api_key");
    assert.equal(await secret.getAttribute("type"), "password");
    await secret.fill(SECRET);
    await page.getByLabel("pages").fill("7");
    await until("Start", () => button.isEnabled());
    await picture(page, "form-parameters");
    await until("Start", () => button.isEnabled());
    await button.click();
    const row = () => cells(page, "/anything/ko-7-true-bonjour-2.5-2");
    await until("the parameters in a name", async () => Number((await row())?.[2]) > 0);
    const { get, base } = api(server);
    assert.equal((await get("api/v1/exceptions")).rows.length, 0, "the secret reaches the script");
    await page.getByRole("link", { name: "Script" }).click();
    await page.locator(".params").getByText("***").waitFor();
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("dialog").getByPlaceholder("set", { exact: true }).waitFor();
    assert.ok(!(await page.content()).includes(SECRET), "in the page");
    await page.keyboard.press("Escape");
    for (const path of [
      "form",
      "snapshot",
      "script",
      "script?generation=1",
      "logs",
      "runs",
      "runs/1",
      "report?script=1",
    ]) {
      const text = await (await fetch(`${base}api/v1/${path}`)).text();
      assert.ok(!text.includes(SECRET), `in ${path}`);
    }
    assert.ok(!server.log.includes(SECRET), "in the log");
    await api(server).stop();
  },
  { allow: /status of 422/ },
);

browse(
  "a broken script is shown with a caret, and mended by a save without a reload",
  async () => {
    const path = save("broken.rhai", greeter().replace("task(|| {", "tasks(|| {"));
    server = await serve(["-f", path, "-H", shop, "--watch"]);
    return server.url;
  },
  async (page) => {
    const finding = page.locator(".mistakes .finding").first();
    await finding.waitFor();
    await picture(page, "form-broken");
    const [gutter, source, caret] = await finding.locator("pre").evaluate((pre) => {
      const [first, second] = pre.textContent.split("\n");
      return [first.indexOf("│"), first, second];
    });
    assert.equal(caret.indexOf("│"), gutter);
    const at = caret.indexOf("^");
    assert.equal(source.slice(at, caret.lastIndexOf("^") + 1), "tasks");
    const button = page.getByRole("button", { name: "Start" });
    assert.ok(await button.isDisabled());
    save("broken.rhai", greeter());
    await until("Start to be possible", () => button.isEnabled());
    assert.equal(await page.locator(".mistakes").count(), 0);
  },
  { allow: /status of 422/ },
);
