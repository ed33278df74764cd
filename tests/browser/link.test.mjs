/** Server and page lose each other, and many tabs of one browser share six connections. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { api, browse, cells, open, picture, serve, theShop, until } from "./harness.mjs";
import { greeter, save } from "./scripts.mjs";

let server;
let script;
const begin = async (...more) => {
  script = save("link.rhai", greeter());
  return serve(["-f", script, "-H", await theShop(), "-u", "2", "-r", "100", ...more]);
};

browse(
  "a page outlives its server, and says when another process answers",
  async () => {
    server = await begin();
    await api(server).run({}, 2);
    return server.url;
  },
  async (page) => {
    await until("numbers", () => cells(page, "/hello"));
    const port = new URL(server.url).port;
    await server.stop("SIGKILL");
    await page.getByText(/No answer since .*the load may go on/).waitFor();
    assert.ok(await cells(page, "/hello"), "what was known stays");
    await picture(page, "lost");
    server = await begin("--web-port", port);
    await page.getByText("Katydid was restarted").waitFor();
    assert.ok(await cells(page, "/hello"), "what was known stays until it is asked for");
    await page.getByRole("button", { name: "Show the new one" }).click();
    await page.getByRole("heading", { name: "New run" }).waitFor();
  },
  { allow: /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_EMPTY|ERR_CONNECTION_RESET|ERR_SOCKET/ },
);

const TABS = 12;

test("twelve tabs are all live, three of them by a stream, and Stop answers at once", async () => {
  await api(server).run({}, 1);
  const first = await open(server.url, { allow: /status of 503/ });
  const context = first.context();
  const streams = new Set();
  context.on("response", (response) => {
    const isStream = response.headers()["content-type"]?.startsWith("text/event-stream");
    if (isStream && response.status() === 200) streams.add(response.frame().page());
  });
  const more = Array.from({ length: TABS - 1 }, () =>
    open(server.url, { context, allow: /status of 503/ }),
  );
  const pages = [first, ...(await Promise.all(more))];
  const clock = (page) => page.locator(".state time").textContent();
  const began = await Promise.all(pages.map(clock));
  await Promise.all(
    pages.map((page, at) =>
      until(`tab ${at} to go on`, async () => (await clock(page)) !== began[at]),
    ),
  );
  assert.ok(streams.size <= 3, `${streams.size} streams`);
  const last = pages.at(-1);
  // From the request on: how long a click takes on a busy machine is not in question.
  const asked = last.waitForRequest(/\/run\/stop/).then(() => Date.now());
  await last.getByRole("button", { name: "Stop" }).click();
  await api(server).is("stopped");
  const took = Date.now() - (await asked);
  assert.ok(took < 3000, `Stop took ${took} ms`);
  await Promise.all(pages.map((page) => page.getByRole("button", { name: "New run" }).waitFor()));
  const another = await open(server.url, { context, allow: /status of 503/ });
  await another.getByRole("button", { name: "New run" }).waitFor();
  for (const page of pages) await page.calm();
  await context.close();
});

browse(
  "a target that cannot be reached is said once, with what may be meant",
  async () => {
    await api(server).run({ host: "http://127.0.0.1:9", users: 2, spawn_rate: 100 }, 2);
    return server.url;
  },
  async (page) => {
    const bar = page.locator(".bar.error");
    await bar.getByText("Nothing but failures from http://127.0.0.1:9").waitFor();
    await bar.getByText("host.docker.internal").waitFor();
    await bar.getByRole("button", { name: "Show" }).click();
    await page.locator("main").getByText("refused").first().waitFor();
    await picture(page, "unreachable");
    await api(server).stop();
  },
);

browse(
  "a generator that gets no CPU says so, and hatches its seconds",
  async () => {
    await api(server).run({ host: await theShop() }, 1);
    return server.url;
  },
  async (page) => {
    const late = page.locator(".health.late");
    await until("the chip", async () => {
      server.child.kill("SIGSTOP");
      await pause(200);
      server.child.kill("SIGCONT");
      await pause(800);
      return late.isVisible();
    });
    assert.match(await late.getAttribute("title"), /may be Katydid's own/);
    const { seconds } = await api(server).snapshot();
    assert.ok(seconds.tainted.filter(Boolean).length >= 3, String(seconds.tainted));
    await picture(page, "late");
    await api(server).stop();
  },
);
