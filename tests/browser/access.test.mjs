/** Who may do what: log-in, foreign pages, read-only, base paths, and runs that start by themselves. */

import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { test } from "node:test";
import { api, browse, cells, open, picture, serve, theShop, until } from "./harness.mjs";
import { greeter, save } from "./scripts.mjs";

const TOKEN = "a-token-of-the-tests";
let server;

const listen = (http) =>
  new Promise((done) =>
    http.listen(0, "127.0.0.1", () => done(`http://127.0.0.1:${http.address().port}/`)),
  );

test("the log-in takes the link's token or a typed one, and refuses after ten wrong ones", async () => {
  const script = save("greeter.rhai", greeter());
  const options = ["--web-host", "0.0.0.0", "--web-token", TOKEN];
  server = await serve(["-f", script, "-H", await theShop(), ...options]);
  const port = new URL(server.url).port;
  const url = `http://127.0.0.1:${port}/`;
  const allow = /status of 4(01|29)/;
  const byLink = await open(url, { hash: `#token=${TOKEN}`, allow });
  await byLink.getByRole("heading", { name: "New run" }).waitFor();
  assert.ok(!byLink.url().includes(TOKEN), "the token leaves the address");
  const [cookie] = await byLink.context().cookies();
  assert.equal(cookie.httpOnly, true);
  assert.equal(cookie.sameSite, "Strict");
  await byLink.reload();
  await byLink.getByRole("heading", { name: "New run" }).waitFor();
  await byLink.done();

  const typed = await open(url, { allow });
  const field = typed.getByLabel("Token");
  await field.waitFor();
  const text = await typed.locator("body").textContent();
  assert.ok(!text.includes("greeter.rhai"), "the log-in says nothing about the script");
  await picture(typed, "login");
  await field.fill("wrong");
  await typed.keyboard.press("Enter");
  await typed.getByText("That is not the token.").waitFor();
  await field.fill(TOKEN);
  await typed.keyboard.press("Enter");
  await typed.getByRole("heading", { name: "New run" }).waitFor();

  const stranger = await open(url, { allow });
  for (let wrong = 0; wrong < 10; wrong++)
    await api({ url }).call("POST", "api/v1/login", { token: "wrong" });
  await stranger.getByLabel("Token").fill("wrong");
  await stranger.keyboard.press("Enter");
  await stranger.getByText("Too many wrong tokens").waitFor();
  await stranger.done();
  // Who is logged in already does not suffer from others' guesses.
  await typed.reload();
  await typed.getByRole("heading", { name: "New run" }).waitFor();
  await typed.done();
});

browse(
  "a foreign page can neither start, stop nor read anything",
  async () => {
    const script = save("greeter.rhai", greeter());
    server = await serve(["-f", script, "-H", await theShop(), "-u", "2", "-r", "100"]);
    await api(server).run({}, 1);
    const html = "<!doctype html><title>foreign</title><link rel=icon href='data:,'><p>foreign</p>";
    const foreign = createServer((_, response) =>
      response.setHeader("content-type", "text/html").end(html),
    );
    foreign.unref();
    return listen(foreign);
  },
  async (page) => {
    const { base, state } = api(server);
    const outcomes = await page.evaluate(async (to) => {
      const attempts = {
        fetch: () => fetch(`${to}api/v1/run/stop`, { method: "POST", mode: "no-cors", body: "{}" }),
        swarm: () =>
          fetch(`${to}swarm`, {
            method: "POST",
            mode: "no-cors",
            body: new URLSearchParams({ user_count: 9 }),
          }),
        read: () => fetch(`${to}api/v1/snapshot`).then((response) => response.text()),
        image: () =>
          new Promise((done, fail) => {
            const image = new Image();
            image.onload = done;
            image.onerror = fail;
            image.src = `${to}stop`;
          }),
        form: () =>
          new Promise((done) => {
            const frame = document.createElement("iframe");
            frame.name = "frame";
            frame.onload = done;
            document.body.append(frame);
            const form = document.createElement("form");
            form.method = "post";
            form.action = `${to}stop`;
            form.target = "frame";
            document.body.append(form);
            form.submit();
          }),
      };
      const found = {};
      for (const [name, attempt] of Object.entries(attempts)) {
        found[name] = await attempt().then(
          (value) => (typeof value === "string" ? value.slice(0, 40) : "sent"),
          () => "refused",
        );
      }
      return found;
    }, base);
    assert.equal(outcomes.read, "refused");
    assert.equal(outcomes.image, "refused");
    const { state: now, t, users } = await state();
    assert.ok(["spawning", "running"].includes(now), `the run is ${now}`);
    assert.equal(users, 2);
    await api(server).second(t + 1);
    // A name that was made to point here by its owner.
    const status = await new Promise((done, fail) => {
      const { port } = new URL(base);
      const headers = { host: `evil.example:${port}` };
      request({ port, path: "/api/v1/state", headers }, (response) =>
        done(response.resume().statusCode),
      )
        .on("error", fail)
        .end();
    });
    assert.equal(status, 403);
    await api(server).stop();
  },
  { foreign: true, allow: /./ },
);

test("below a base path, behind a proxy that takes it off and holds streams back", async () => {
  const script = save("greeter.rhai", greeter());
  server = await serve([
    "-f",
    script,
    "-H",
    await theShop(),
    "-u",
    "2",
    "-r",
    "100",
    "--web-base-path",
    "/katydid",
  ]);
  assert.match(server.url, /\/katydid\/?$/);
  await api(server).run({}, 1);
  const direct = await open(`${server.url.replace(/\/$/, "")}/`);
  await until("numbers below the base path", () => cells(direct, "/hello"));
  await direct.done();

  const port = new URL(server.url).port;
  const proxy = createServer((incoming, outgoing) => {
    const path = incoming.url.replace(/^\/deep\/er/, "/katydid");
    // Never passes on a byte of a stream, as a proxy does that waits for the end of an answer.
    const isStream = incoming.headers.accept?.includes("event-stream");
    const onward = request(
      { port, path, method: incoming.method, headers: incoming.headers },
      (answer) => {
        if (isStream) return answer.resume();
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      },
    );
    incoming.pipe(onward);
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
  });
  proxy.unref();
  const page = await open(`${await listen(proxy)}deep/er/`);
  const count = async () => Number((await cells(page, "/hello"))?.[2]?.replaceAll(",", ""));
  const first = await until("numbers behind the proxy", count);
  await until("numbers that go on, by polling", async () => (await count()) > first);
  await page.done();
  await api(server).stop();
});

browse(
  "a run starts by itself, may only be looked at, and its end ends the process",
  async () => {
    const script = save("greeter.rhai", greeter());
    const options = ["--autostart", "--autoquit", "1", "--web-read-only"];
    server = await serve([
      "-f",
      script,
      "-H",
      await theShop(),
      "-u",
      "2",
      "-r",
      "100",
      "-t",
      "8",
      ...options,
    ]);
    return server.url;
  },
  async (page) => {
    await until("numbers", () => cells(page, "/hello"));
    await page.getByText("read only").waitFor();
    assert.equal(await page.getByRole("button", { name: "Stop" }).count(), 0);
    const refused = await api(server).call("POST", "api/v1/run/stop", {});
    assert.equal(refused.status, 403);
    await page.getByText("ended with exit code 0").waitFor();
    const [code] = await server.ended();
    assert.equal(code, 0);
    assert.ok(await cells(page, "/hello"), "the page keeps its numbers");
    await picture(page, "ended");
  },
  { allow: /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_EMPTY/ },
);
