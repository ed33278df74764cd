/**
 * What all browser tests share: one Chromium, servers on free ports, and pages that fail their test
 * when the browser complains.
 *
 * `KATYDID` names the binary (default: target/debug/katydid), `CHROMIUM` the browser. `PAGES=web/dist`
 * puts newer pages in place of those that the binary has in it, which saves a build of it.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const ROOT = resolve(fileURLToPath(new URL(".", import.meta.url)), "../..");
const KATYDID = resolve(process.env.KATYDID || join(ROOT, "target/debug/katydid"));
export const PICTURES = join(ROOT, "target/browser");
/** Generous: CI machines are slow, and a wait ends as soon as what it waits for is there. */
export const DEADLINE_MS = 30_000;
/** Cumulated over a page; beyond it something jumps under the reader's eyes. */
const MOST_SHIFT = 0.02;

const BROWSERS = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

let browser;

async function theBrowser() {
  const executablePath = BROWSERS.find((path) => path && existsSync(path));
  assert.ok(executablePath, "Chromium is missing: apt-get install chromium, or set CHROMIUM");
  browser ??= await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
  });
  return browser;
}

/** Newer pages than those of the binary, under the same headers. */
async function replacePages(context, base) {
  const { PAGES } = process.env;
  if (!PAGES) return;
  const { files } = JSON.parse(readFileSync(join(PAGES, "manifest.json"), "utf8"));
  const serve = (path, type) => async (route) => {
    const index = await fetch(base);
    const headers = { ...Object.fromEntries(index.headers), "content-type": type };
    delete headers["content-length"];
    delete headers["content-encoding"];
    await route.fulfill({ path: join(PAGES, path), headers });
  };
  for (const { path, type } of files) {
    if (path !== "report.html") await context.route(`**/${path}`, serve(path, type));
  }
  await context.route(
    (url) => url.href === new URL(".", base).href,
    serve("index.html", "text/html"),
  );
}

/** A folder for the files of a test file. */
export const scratch = mkdtempSync(join(tmpdir(), "katydid-browser-"));
const children = new Set();

after(async () => {
  await browser?.close();
  browser = undefined;
  for (const child of children) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

/** Waits until `probe` gives something true, and gives it. */
export async function until(what, probe, deadlineMs = DEADLINE_MS) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) assert.fail(`waited ${deadlineMs / 1000} s for ${what}`);
    await pause(50);
  }
}

/** Starts the binary; `address` finds what the caller waits for in its output. */
async function start(args, address, env = {}) {
  assert.ok(existsSync(KATYDID), `${KATYDID} is missing: cargo build, or set KATYDID`);
  const child = spawn(KATYDID, args, {
    cwd: scratch,
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  const one = { child, log: "", code: undefined, url: "" };
  child.on("error", (error) => {
    one.log += String(error);
    one.code = -1;
  });
  child.on("exit", (code, signal) => {
    children.delete(child);
    one.code = code ?? signal;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      one.log += data;
    });
  }
  one.url = await until(`an address from \`katydid ${args.join(" ")}\``, () => {
    if (one.code !== undefined) assert.fail(`katydid ended with ${one.code}:\n${one.log}`);
    return address.exec(one.log)?.[1];
  });
  one.ended = () => until("the end of the process", () => one.code !== undefined && [one.code]);
  one.stop = async (signal = "SIGKILL") => {
    if (one.code === undefined) child.kill(signal);
    await one.ended();
  };
  return one;
}

/** The web UI with these options. */
export function serve(args, env) {
  const port = args.includes("--web-port") ? [] : ["--web-port", "0"];
  return start([...args, ...port], /web UI: (https?:\/\/\S+)/, env);
}

/** A worker of the master that waits at this port. */
export function startWorker(port) {
  const args = ["--worker", "--threads", "1", "--master-host", "127.0.0.1", "--master-port", port];
  return start(args, /(master at \S+)/);
}

let shop;

/** The embedded coupon shop, one for all tests of a file. */
export async function theShop() {
  shop ??= start(["target", "--port", "0", "--threads", "1", "--stock", "100000"], /^(http:\S+)/m);
  return (await shop).url;
}

/** The API of a server, as a script would use it. */
export function api(server) {
  const base = server.url.replace(/\/?(#.*)?$/, "/");
  const call = async (method, path, body) => {
    const response = await fetch(base + path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json");
    return { status: response.status, body: isJson && text ? JSON.parse(text) : text };
  };
  const get = async (path) => (await call("GET", path)).body;
  const state = () => get("api/v1/state");
  const second = (t) => until(`second ${t}`, async () => (await state()).t >= t);
  const is = (wanted) => until(`state ${wanted}`, async () => (await state()).state === wanted);
  /** Starts a run, and waits until it has closed `seconds`. */
  const run = async (wish, seconds = 0) => {
    const { status, body } = await call("POST", "api/v1/runs", wish);
    assert.equal(status, 201, JSON.stringify(body));
    await second(seconds);
    return body.run;
  };
  const stop = async () => {
    await call("POST", "api/v1/run/stop", { now: true });
    await is("stopped");
  };
  const snapshot = () => get("api/v1/snapshot");
  return { base, call, get, state, snapshot, second, is, run, stop };
}

/** Told by the page itself: layout shifts that no input of the person has caused. */
function watchShifts() {
  const shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      const moved = entry.sources.map(({ node }) => (node?.parentElement ?? node)?.outerHTML);
      const text = moved.map((html) => html?.slice(0, 120)).join("\n    ");
      shifts.push({ value: entry.value, text });
    }
  }).observe({ type: "layout-shift", buffered: true });
  window.theShifts = () => shifts;
}

/**
 * Opens a page whose complaints are kept: errors on the console (violations of the policy are
 * among them), exceptions, requests to another host. `allow` is a pattern of errors that the test
 * brings about on purpose, `foreign` admits other hosts. `page.calm()` fails on any of them; `browse` calls it at the end.
 */
export async function open(
  url,
  { allow = /$^/, foreign = false, viewport, context: use, hash = "", ...more } = {},
) {
  const size = viewport ?? { width: 1280, height: 800 };
  const context =
    use ??
    (await (await theBrowser()).newContext({ viewport: size, reducedMotion: "reduce", ...more }));
  context.setDefaultTimeout(DEADLINE_MS);
  await replacePages(context, url);
  const page = await context.newPage();
  const host = new URL(url).host;
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    const text = `${message.text()} ${message.location().url ?? ""}`;
    if (!allow.test(text)) complaints.push(`console: ${text}`);
  });
  page.on("pageerror", (error) => complaints.push(`exception: ${error.stack}`));
  page.on("request", (request) => {
    const to = new URL(request.url());
    const isForeign = /^(https?|wss?):$/.test(to.protocol) && to.host !== host;
    if (isForeign && !foreign) complaints.push(`foreign request: ${to}`);
  });
  await page.addInitScript(watchShifts);
  await page.goto(url + hash);
  page.calm = async () => {
    if (!page.isClosed()) {
      const shifts = await page.evaluate(() => window.theShifts());
      const sum = shifts.reduce((sum, { value }) => sum + value, 0);
      const words = shifts.map(({ value, text }) => `  ${value.toFixed(4)} ${text}`);
      if (sum > MOST_SHIFT)
        complaints.push(`layout shifts of ${sum.toFixed(3)}:\n${words.join("\n")}`);
    }
    assert.deepEqual(complaints, []);
  };
  page.done = async () => {
    await page.calm();
    await (use ? page : context).close();
  };
  return page;
}

/** A test with one page, which has to stay calm. Its picture is kept when it fails. */
export function browse(name, address, steps, options = {}) {
  test(name, async (t) => {
    const page = await open(typeof address === "function" ? await address() : address, options);
    try {
      await steps(page, t);
    } catch (error) {
      await picture(page, `failed-${name.replace(/\W+/g, "-").slice(0, 60)}`).catch(() => {});
      await page.context().close();
      throw error;
    }
    await page.done();
  });
}

/** Keeps a picture for people to look at. */
export async function picture(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

/** The text of the table's row with this name, cell by cell; null if it is not on the screen. */
export function cells(page, name) {
  return page.evaluate((wanted) => {
    const rows = [...document.querySelectorAll(".grid tr")];
    const row = rows.find((one) => one.querySelector("th[scope=row]")?.textContent === wanted);
    return row ? [...row.children].map((cell) => cell.textContent) : null;
  }, name);
}
