/** The live page's source: the HTTP API. All paths are relative, so a base path needs no setting. */

import type {
  Comparison,
  Form,
  Info,
  LogLine,
  Preview,
  Problem,
  Ratio,
  RunHead,
  ScriptFiles,
  Slot,
  Snapshot,
  WindowRows,
  Wish,
} from "../api.ts";
import { Refused, type Source, Unreachable } from "./source.ts";

const API = "api/v1/";

/** What is waited for an answer; beyond it the server counts as gone. */
const PATIENCE_MS = 15_000;

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) };
  if (method !== "GET") {
    init.headers = { "content-type": "application/json" };
    init.body = JSON.stringify(body ?? {});
  }
  let response: Response;
  try {
    response = await fetch(API + path, init);
  } catch {
    throw new Unreachable("no answer");
  }
  const text = await response.text().catch(() => "");
  let json: unknown = null;
  try {
    json = text === "" ? null : JSON.parse(text);
  } catch {
    if (response.ok) throw new Unreachable("an answer that is not JSON");
  }
  if (response.ok) return json as T;
  throw new Refused(problemOf(response, json));
}

/** Proxies answer with pages of their own; those become a problem with the status as its text. */
function problemOf(response: Response, json: unknown): Problem {
  const plain: Problem = {
    title: `${response.status} ${response.statusText}`.trim(),
    status: response.status,
    detail: "",
  };
  return typeof json === "object" && json !== null ? { ...plain, ...json } : plain;
}

const get = <T>(path: string): Promise<T> => ask<T>("GET", path);

export const http: Source = {
  isLive: true,
  info: () => get<Info>("info"),
  snapshot: (run) => get<Snapshot>(run === null ? "snapshot" : `snapshot?run=${run}`),
  timeline: async (run, ids) =>
    (await get<{ series: Record<string, Slot[]> }>(`timeline?run=${run}&series=${ids.join(",")}`))
      .series,
  window: (run, from, to) => get<WindowRows>(`window?run=${run}&from=${from}&to=${to}`),
  compare: (a, b) =>
    get<Comparison>(`compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`),
  runs: async () => (await get<{ runs: RunHead[] }>("runs")).runs,
  ratio: (run) => get<Ratio>(run === null ? "ratio" : `ratio?run=${run}`),
  form: () => get<Form>("form"),
  script: (run, generation) =>
    get<ScriptFiles>(
      run === null || generation === null ? "script" : `script?run=${run}&generation=${generation}`,
    ),
  logs: async (after) => (await get<{ lines: LogLine[] }>(`logs?after=${after}`)).lines,
  check: (wish: Wish) => ask<Preview>("POST", "check", wish),
  send: (method, path, body) => ask<unknown>(method, path, body),
};
