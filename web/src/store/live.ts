/**
 * Keeps the page up to date: a stream while the page is visible, polling where a stream is refused
 * or silent, and one small question every 15 s while it is hidden.
 *
 * Browsers open six connections to a host, and a stream takes one of them for good. That is why a
 * hidden page has none.
 */

import { effect } from "@preact/signals";
import type { Frame, ScriptState, State } from "../api.ts";
import { route } from "./route.ts";
import { fromSnapshot, withFrame, withSlots } from "./run.ts";
import { connection, current, info, isRunning, past, runs } from "./signals.ts";
import { Refused, source } from "./source.ts";

/** A stream that says nothing for so long is behind something that holds it back. */
const SILENCE_MS = 3000;
const HIDDEN_MS = 15_000;
/** How long polling goes on before a stream is tried again. */
const POLLING_MS = 30_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;

let stream: EventSource | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let retryMs = FIRST_RETRY_MS;
let streamsFrom = 0;
/** Grows with each new connection, so that answers to an older one are dropped. */
let epoch = 0;

/** What the hidden page's title shows. */
export interface Glance {
  state: State;
  fail_ratio: number;
}

export function start(): void {
  document.addEventListener("visibilitychange", connect);
  effect(() => {
    const run = current.value;
    if (run && !isSame(run.script, run.form.script)) void refreshForm();
  });
  effect(() => {
    const run = current.value;
    if (run) setTitle(run.state, (run.head?.failures ?? 0) / Math.max(1, run.head?.requests ?? 0));
  });
  effect(() => {
    // The list has figures of each run, which are final from here on.
    if (!isRunning.value && connection.peek().kind === "live") void refreshRuns();
  });
  effect(() => {
    // Read here, so that choosing names or changing to a tab without rows connects anew.
    void wanted();
    if (connection.peek().kind === "live") connect();
  });
  void begin();
}

function isSame(a: ScriptState, b: ScriptState): boolean {
  return a.hash === b.hash && a.is_ok === b.is_ok && a.findings.length === b.findings.length;
}

let isAskingForm = false;

/** The form follows the script: frames bring only the script's own state. */
async function refreshForm(): Promise<void> {
  if (isAskingForm) return;
  isAskingForm = true;
  const form = await source()
    .form()
    .catch(() => null);
  isAskingForm = false;
  const run = current.peek();
  // What the frame said holds until the next one, so that a race does not ask again and again.
  if (form && run) current.value = { ...run, form: { ...form, script: run.script } };
}

/** Fetches everything, then keeps up. */
export async function begin(): Promise<void> {
  const mine = ++epoch;
  disconnect();
  try {
    const [about, snapshot] = await Promise.all([source().info(), source().snapshot(null)]);
    if (mine !== epoch) return;
    const isOther = current.peek() !== null && current.peek()?.instance !== snapshot.instance;
    if (isOther && connection.peek().kind !== "restarted") {
      connection.value = { kind: "restarted" };
      return;
    }
    info.value = about;
    current.value = fromSnapshot(snapshot);
    await fetchChosen();
    void refreshRuns();
    connection.value = { kind: "live" };
    retryMs = FIRST_RETRY_MS;
    connect();
  } catch (error) {
    if (mine === epoch) fail(error);
  }
}

export async function refreshRuns(): Promise<void> {
  runs.value = await source()
    .runs()
    .catch(() => runs.peek());
}

/** The part of the address that decides what a frame holds. */
function wanted(): string {
  const { tab, window, chosen } = route.value;
  const rows = tab === "statistics" && window.kind !== "range" && window.kind !== "last" ? 1 : 0;
  const generations = window.kind === "generation" ? "&generations=1" : "";
  return `&rows=${rows}${generations}${chosen.length > 0 ? `&series=${chosen.join(",")}` : ""}`;
}

function path(): string {
  return `api/v1/live?after=${current.peek()?.seq ?? 0}${wanted()}`;
}

function disconnect(): void {
  clearTimeout(timer);
  stream?.close();
  stream = null;
}

function connect(): void {
  if (connection.peek().kind !== "live" || !source().isLive) return;
  const mine = ++epoch;
  disconnect();
  if (document.hidden) void glance(mine);
  else if (Date.now() < streamsFrom) void poll(mine);
  else openStream(mine);
}

function openStream(mine: number): void {
  const opened = new EventSource(path());
  stream = opened;
  const fallBack = () => {
    if (mine !== epoch) return;
    clearTimeout(timer);
    opened.close();
    streamsFrom = Date.now() + POLLING_MS;
    void poll(mine);
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(fallBack, SILENCE_MS);
  };
  wait();
  opened.onerror = fallBack;
  const on = (name: string, handle: (data: unknown) => void) =>
    opened.addEventListener(name, (event) => {
      if (mine !== epoch) return;
      wait();
      handle(parsed((event as MessageEvent<string>).data));
    });
  on("frame", (data) => take(data as Frame | null));
  on("now", (data) => take(data as Frame | null));
  on("resync", () => void begin());
  on("end", (data) => end(data as { text?: string; exit_code?: number } | null));
}

async function poll(mine: number): Promise<void> {
  const began = Date.now();
  try {
    const response = await fetch(path(), {
      headers: { accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(10_000),
    });
    if (mine !== epoch) return;
    if (response.status === 401) {
      connection.value = { kind: "login" };
      return;
    }
    if (!response.ok) throw new Error(String(response.status));
    if (response.status === 200) take(parsed(await response.text()) as Frame | null);
  } catch (error) {
    if (mine === epoch) fail(error);
    return;
  }
  if (mine !== epoch) return;
  const next = () => (Date.now() >= streamsFrom ? connect() : void poll(mine));
  timer = setTimeout(next, Math.max(0, 1000 - (Date.now() - began)));
}

/** A hidden page only keeps its title true; what it missed comes when it is shown again. */
async function glance(mine: number): Promise<void> {
  try {
    const response = await fetch("api/v1/state", { cache: "no-store" });
    const seen = (await response.json()) as Glance;
    if (mine !== epoch) return;
    setTitle(seen.state, seen.fail_ratio);
  } catch {
    if (mine !== epoch) return;
  }
  timer = setTimeout(() => void glance(mine), HIDDEN_MS);
}

function setTitle(state: State, failRatio: number): void {
  const failed = failRatio > 0 ? `${(failRatio * 100).toPrecision(2)} % failed · ` : "";
  document.title = `${failed}${state.replace("_", " ")} · Katydid`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Takes a frame. One that cannot be used is dropped: the next one, or a resync, mends it. */
function take(frame: Frame | null): void {
  const known = current.peek();
  if (!frame || !known) return;
  if (frame.instance && frame.instance !== known.instance) {
    disconnect();
    epoch++;
    connection.value = { kind: "restarted" };
    return;
  }
  if (frame.run !== undefined && frame.run !== known.run) {
    void begin();
    return;
  }
  try {
    current.value = withFrame(known, frame);
  } catch (error) {
    console.warn("Katydid: a frame was left out", error);
    void begin();
  }
}

function end(what: { text?: string; exit_code?: number } | null): void {
  disconnect();
  epoch++;
  const code = what?.exit_code === undefined ? "" : ` with exit code ${what.exit_code}`;
  connection.value = { kind: "ended", text: what?.text || `Katydid ended${code}` };
}

function fail(error: unknown): void {
  disconnect();
  if (error instanceof Refused && error.problem.status === 401) {
    connection.value = { kind: "login" };
    return;
  }
  const link = connection.peek();
  const wait = retryMs * (0.75 + Math.random() / 2);
  retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
  const since = link.kind === "lost" ? link.since : Date.now();
  connection.value = { kind: "lost", since, nextAt: Date.now() + wait };
  timer = setTimeout(() => void begin(), wait);
}

/** Histories of the chosen names: a snapshot has only the total's. */
export async function fetchChosen(): Promise<void> {
  const run = route.peek().run !== null ? past.peek() : current.peek();
  const missing = route.peek().chosen.filter((id) => run && !run.series.has(id));
  if (!run?.run || missing.length === 0) return;
  const slots = await source()
    .timeline(run.run, missing)
    .catch(() => ({}));
  const holder = run.run === current.peek()?.run ? current : past;
  const now = holder.peek();
  if (now?.run === run.run) holder.value = { ...now, series: withSlots(now.series, slots) };
}
