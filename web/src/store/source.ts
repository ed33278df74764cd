/**
 * Where the page's data come from. This is the one seam between the live page, which asks the
 * server, and the report, which has everything inside itself.
 */

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

export interface Source {
  /** Whether there is a server that can be asked and told. */
  readonly isLive: boolean;
  info(): Promise<Info>;
  snapshot(run: number | null): Promise<Snapshot>;
  timeline(run: number, ids: number[]): Promise<Record<string, Slot[]>>;
  window(run: number, from: number, to: number): Promise<WindowRows>;
  compare(a: string, b: string): Promise<Comparison>;
  runs(): Promise<RunHead[]>;
  /** Of that run; without one, of what would start now. */
  ratio(run: number | null): Promise<Ratio>;
  /** What a run that starts now would be. */
  form(): Promise<Form>;
  /** The files of a generation of a run; without one, as they were last read. */
  script(run: number | null, generation: number | null): Promise<ScriptFiles>;
  logs(after: number): Promise<LogLine[]>;
  check(wish: Wish): Promise<Preview>;
  /** Changes something; the path is relative to `api/v1/`. */
  send(method: "POST" | "PATCH", path: string, body?: unknown): Promise<unknown>;
}

/** A request that the server refused, in its words. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

/** The server did not answer, or not in a form that is known. */
export class Unreachable extends Error {}

let current: Source | undefined;

export function useSource(source: Source): void {
  current = source;
}

export function source(): Source {
  if (!current) throw new Error("no source of data yet");
  return current;
}
