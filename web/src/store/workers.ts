/** What is to be said of the workers of a run: who is in trouble, and how the others do. */

import type { Strain, Worker, WorkerState } from "../api.ts";
import { clock, figures, integer } from "../format.ts";

const SILENT: ReadonlySet<WorkerState> = new Set(["late", "missing", "gone", "lost"]);
const THERE: ReadonlySet<WorkerState> = new Set(["ready", "running", "late"]);

/** As the log calls it: two workers of one host have different numbers. */
export function label(worker: Pick<Worker, "number" | "name">): string {
  return worker.name ? `worker ${worker.number} (${worker.name})` : `worker ${worker.number}`;
}

/** A strain is over some seconds after its figure is well again: so the figure is that of now. */
const STRAINS: Record<Strain, (worker: Worker) => string> = {
  busy: ({ now }) => `busy, now ${integer(now.cpu * 100)} % CPU`,
  throttled: ({ now }) => `throttled, now for ${integer(now.throttled * 100)} % of the time`,
  lagging: ({ now }) => `lagging, now ${figures(now.lag_p99_ms)} ms late (p99)`,
};

/** What a person should know of a worker now; nothing if it does well. */
export function troubles(worker: Worker): string[] {
  const { state, strained } = worker;
  if (SILENT.has(state)) return [silence(worker)];
  if (state !== "running") return [];
  return strained.now.map((strain) => STRAINS[strain](worker));
}

/** Since when nothing was heard; the state says how bad that is. */
function silence({ heard_s }: Worker): string {
  return heard_s > 0 ? `no sign since ${clock(heard_s)}` : "no sign yet";
}

/** What made its times doubtful in the run, for how long: "lagging for 8 s". */
export function past({ strained }: Worker): string {
  const all = [
    ["busy", strained.busy_s],
    ["throttled", strained.throttled_s],
    ["lagging", strained.lagging_s],
  ] as const;
  const lasted = all.filter(([, seconds]) => seconds > 0);
  return lasted.map(([strain, seconds]) => `${strain} for ${integer(seconds)} s`).join(", ");
}

/** Whether it should be heard and is not. */
export function isSilent(worker: Worker): boolean {
  return SILENT.has(worker.state);
}

/** Workers whose users are with the others, or nobody's. */
export function isLost(worker: Worker): boolean {
  return worker.state === "gone" || worker.state === "lost" || worker.missing > 0;
}

export interface Fleet {
  /** Workers that are there. */
  there: number;
  /** Those in trouble, the worst first. */
  troubled: Worker[];
  /** The most CPU that one of them uses, as a share of what it can. */
  cpu: number;
}

const ORDER: WorkerState[] = ["lost", "gone", "missing", "late", "running"];

export function fleet(workers: readonly Worker[]): Fleet {
  const troubled = workers.filter((worker) => troubles(worker).length > 0);
  troubled.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.number - b.number);
  const there = workers.filter(({ state }) => THERE.has(state));
  return {
    there: there.length,
    troubled,
    cpu: there.reduce((most, { now }) => Math.max(most, now.cpu), 0),
  };
}

/** So many workers are on one screen. */
const ON_SCREEN = 12;

/**
 * By number, so that no row moves under the reader's eyes; those in trouble come first where they might
 * not be on the screen.
 */
export function inOrder(workers: readonly Worker[]): Worker[] {
  const { troubled } = fleet(workers);
  if (workers.length <= ON_SCREEN) return [...workers];
  const rest = workers.filter((worker) => !troubled.includes(worker));
  const here = rest.filter(({ state }) => state !== "left");
  return [...troubled, ...here, ...rest.filter(({ state }) => state === "left")];
}

/** What is in no figure of a worker that is gone. */
export function missing(worker: Worker): string {
  return `nothing that it measured after ${clock(worker.counted_s)} is in any figure: up to ${integer(worker.missing)} requests`;
}
