/** The forms of the HTTP API, as the server sends them. Times are whole µs unless a name says so. */

export * from "./apiform.ts";

import type { Finding, Form, ScriptState } from "./apiform.ts";

export type State =
  | "ready"
  | "starting"
  | "setting_up"
  | "spawning"
  | "running"
  | "paused"
  | "stopping"
  | "stopped"
  | "failed";

export interface RunHead {
  run: number;
  label: string;
  script: string;
  host: string;
  state: State;
  why: string;
  epoch_us: number | null;
  duration_s: number;
  users_peak: number;
  requests: number;
  failures: number;
  rps: number;
  p95_us: number;
  seed: number;
  generations: number;
}

export interface GenerationInfo {
  n: number;
  hash: string;
  at_us: number;
  cause: string;
  wall_us: number;
}

export interface Mark {
  at_us: number;
  kind: "reload" | "users" | "run_time" | "note" | "reset" | "pause" | "resume" | "tainted";
  value: number | null;
  text: string;
}

export interface Counter {
  name: string;
  total: number;
  per_s: number;
}

export interface Metric {
  name: string;
  count: number;
  min: number;
  avg: number;
  max: number;
  p50: number;
  p95: number;
  p99: number;
}

/** When something happened: counts by stretches of `step` seconds, the first at second `from`. */
export interface Trace {
  from: number;
  step: number;
  counts: number[];
}

export interface ErrorRow {
  method: string;
  name: string;
  error: string;
  count: number;
  first_us: number;
  last_us: number;
  trace: Trace;
}

export interface ExceptionRow {
  message: string;
  location: string;
  count: number;
  first_us: number;
  last_us: number;
  /** The functions that the first one happened in, innermost first, each with the place in it. */
  stack: string[];
  trace: Trace;
}

export interface CheckRow {
  name: string;
  passes: number;
  fails: number;
}

/** A row of the table: numbers in the order of `COL`. */
export type Row = number[];

/** Where each number of a row stands. */
export const COL = {
  id: 0,
  requests: 1,
  failures: 2,
  p50: 3,
  p66: 4,
  p75: 5,
  p80: 6,
  p90: 7,
  p95: 8,
  p98: 9,
  p99: 10,
  p999: 11,
  p9999: 12,
  max: 13,
  min: 14,
  avg: 15,
  sent: 16,
  received: 17,
  rps: 18,
  failuresPerS: 19,
  currentRps: 20,
  currentFailuresPerS: 21,
  serviceP50: 22,
  serviceP95: 23,
  serviceP99: 24,
  serviceAvg: 25,
  unfinished: 26,
  /** The highest quantile that is certain, as a share; those above are lower bounds. */
  certainTo: 27,
} as const;

export type Name = [id: number, kind: string, method: string, name: string];

export interface Seconds {
  from: number;
  step: number;
  requests: number[];
  failures: number[];
  missed: number[];
  sent: number[];
  received: number[];
  users: number[];
  asked: number[];
  behind: number[];
  in_flight: number[];
  cpu_us: number[];
  lag_us: number[];
  tainted: number[];
  paused: number[];
}

export type Slot = [from: number, len: number, base64: string];

/** p50 low, high, p95 low, high, p99 low, high. */
export type Intervals = Record<string, [number, number, number, number, number, number]>;

export interface GenerationRows {
  first: number;
  last: number;
  at_us: number;
  end_us: number;
  rows: Row[];
  intervals: Intervals;
}

export interface LogLine {
  seq: number;
  at_us: number;
  level: "info" | "warn" | "error";
  text: string;
}

export interface Users {
  asked: number;
  running: number;
  peak: number;
  behind: number;
}

export interface Iterations {
  started: number;
  finished: number;
  interrupted: number;
  missed: number;
  dropped: number;
}

export interface Generator {
  cpu_us: number;
  max_rss_bytes: number;
  lag_p50_us: number;
  lag_p99_us: number;
  lag_max_us: number;
  cores: number;
}

export type WorkerState = "ready" | "running" | "late" | "missing" | "gone" | "lost" | "left";

export type Strain = "busy" | "throttled" | "lagging";

/** What a worker says of its machine; `cpu` and `throttled` are shares. */
export interface WorkerMachine {
  cpu: number;
  throttled: number;
  rss_bytes: number;
  memory_bytes: number;
  lag_p99_ms: number;
  lag_max_ms: number;
}

/** A worker of a run over many machines. Times in s count from the run's beginning. */
export interface Worker {
  number: number;
  name: string;
  address?: string;
  version: string;
  state: WorkerState;
  since_s: number;
  heard_s: number;
  counted_s: number;
  threads: number;
  users: number;
  samples: number;
  missing: number;
  now: WorkerMachine;
  most: WorkerMachine;
  clock?: { round_trip_ms: number; offset_ms: number; error_ms: number };
  strained: { now: Strain[]; busy_s: number; throttled_s: number; lagging_s: number };
}

/** What snapshot and frame have in common; a frame leaves out what has not changed. */
export interface Snapshot {
  instance: string;
  seq: number;
  run: number | null;
  head: RunHead | null;
  state: State;
  ends_s: number | null;
  now_us: number;
  elapsed_us: number;
  since_us: number;
  users: Users;
  iterations: Iterations;
  in_flight: number;
  is_shape: boolean;
  seconds: Seconds;
  slots: Slot[];
  names: Name[];
  rows: Row[];
  by_generation: GenerationRows[];
  generations: GenerationInfo[];
  marks: Mark[];
  errors: ErrorRow[];
  exceptions: ExceptionRow[];
  checks: CheckRow[];
  counters: Counter[];
  metrics: Metric[];
  generator: Generator;
  workers: Worker[];
  warnings: string[];
  script: ScriptState;
  log: LogLine[];
  form: Form;
}

export type Frame = Partial<Snapshot> & {
  instance: string;
  t?: number;
  series?: Record<string, Slot[]>;
};

export interface Info {
  version: string;
  instance: string;
  script: string;
  is_read_only: boolean;
  is_demo: boolean;
  needs_token: boolean;
  has_ui: boolean;
  base_path: string;
}

export interface WindowRows {
  from: number;
  to: number;
  step: number;
  rows: Row[];
  names: Name[];
  intervals: Intervals;
  paused_s: number;
}

export interface Side {
  label: string;
  rows: Row[];
  intervals: Intervals;
  seconds: Seconds;
}

export interface Comparison {
  a: Side;
  b: Side;
  names: Name[];
}

/** Locust's `/tasks`: a share, and the tasks below it. */
export interface RatioNode {
  ratio: number;
  tasks?: Record<string, RatioNode>;
}

export interface Ratio {
  per_class: Record<string, RatioNode>;
  total: Record<string, RatioNode>;
}

export interface ScriptFiles {
  generation: number;
  files: { path: string; text: string }[];
  findings: Finding[];
  params: { name: string; value: string }[];
}

/** The body of a refused request. */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  hint?: string;
  field?: string;
  param?: string;
  state?: State;
  findings?: Finding[];
}
