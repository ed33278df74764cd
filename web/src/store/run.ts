/** What is known about one run: made from a snapshot, moved on by frames. Never changed in place. */

import type { Frame, Name, Row, Seconds, Snapshot } from "../api.ts";
import { put, type Series } from "./series.ts";

export interface Run extends Omit<Snapshot, "names" | "rows" | "slots"> {
  names: ReadonlyMap<number, Name>;
  rows: ReadonlyMap<number, Row>;
  /** Histories by series; 0 is the total, the others come when they are chosen. */
  series: ReadonlyMap<number, Series>;
  /** Whole seconds that are closed. */
  t: number;
}

const COLUMNS = [
  "requests",
  "failures",
  "missed",
  "sent",
  "received",
  "users",
  "asked",
  "behind",
  "in_flight",
  "cpu_us",
  "lag_us",
  "tainted",
  "paused",
] as const satisfies readonly (keyof Seconds)[];

export function fromSnapshot(snapshot: Snapshot): Run {
  const { names, rows, slots, ...rest } = snapshot;
  return {
    ...rest,
    names: new Map(names.map((name) => [name[0], name])),
    rows: new Map(rows.map((row) => [row[0]!, row])),
    series: new Map([[0, put([], slots)]]),
    t: snapshot.seconds.from + snapshot.seconds.requests.length,
  };
}

export function withFrame(run: Run, frame: Frame): Run {
  const { names, rows, slots, series, seconds, log, t, ...rest } = frame;
  const next: Run = { ...run, ...present(rest, run) };
  if (seconds) next.seconds = joined(run.seconds, seconds);
  next.t = t ?? next.seconds.requests.length;
  if (names?.length) next.names = withEntries(run.names, names, (name) => name[0]);
  if (rows?.length) next.rows = withEntries(run.rows, rows, (row) => row[0]!);
  if (log?.length) next.log = [...run.log, ...newer(run, log)].slice(-2000);
  next.series = withSlots(run.series, { ...series, ...(slots && { 0: slots }) });
  return next;
}

/** The histories of names that were chosen just now. */
export function withSlots(
  known: ReadonlyMap<number, Series>,
  slots: Record<string, Snapshot["slots"]>,
): ReadonlyMap<number, Series> {
  const entries = Object.entries(slots);
  if (entries.length === 0) return known;
  const next = new Map(known);
  for (const [id, list] of entries) next.set(Number(id), put(next.get(Number(id)) ?? [], list));
  return next;
}

/** Fields that may be null. */
const NULLABLE: ReadonlySet<string> = new Set(["run", "head", "ends_s"]);

const kind = (value: unknown): string => (Array.isArray(value) ? "array" : typeof value);

/**
 * What of `part` can be put over `run`. A field that is left out, as null or not at all, is
 * unchanged; one of another kind makes the whole frame useless, since nobody knows what it meant.
 */
function present<T extends object>(part: T, run: Run): Partial<T> {
  const known = run as unknown as Record<string, unknown>;
  const fields = Object.entries(part).filter(
    ([key, value]) => value !== undefined && (value !== null || NULLABLE.has(key)),
  );
  for (const [key, value] of fields) {
    const before = known[key];
    if (value !== null && before != null && kind(value) !== kind(before)) {
      throw new Error(`${key} is ${kind(value)}, and was ${kind(before)}`);
    }
  }
  return Object.fromEntries(fields) as Partial<T>;
}

function withEntries<T>(known: ReadonlyMap<number, T>, fresh: T[], id: (entry: T) => number) {
  const next = new Map(known);
  for (const entry of fresh) next.set(id(entry), entry);
  return next;
}

function newer(run: Run, log: Snapshot["log"]): Snapshot["log"] {
  const last = run.log[run.log.length - 1]?.seq ?? -1;
  return log.filter((line) => line.seq > last);
}

/** Columns of seconds with newer ones put over their end. */
function joined(known: Seconds, fresh: Seconds): Seconds {
  const next = { ...known };
  for (const column of COLUMNS) {
    next[column] = [...known[column].slice(0, fresh.from - known.from), ...fresh[column]];
  }
  return next;
}
