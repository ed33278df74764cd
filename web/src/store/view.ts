/** The window that is looked at: its rows, its figures, and keeping it fresh. */

import { computed, effect, signal } from "@preact/signals";
import { COL, type Comparison, type Intervals, type Name, type Row } from "../api.ts";
import { clock } from "../format.ts";
import { merge, quantile } from "../hdr.ts";
import { go, route, type Window } from "./route.ts";
import type { Run } from "./run.ts";
import { times, within } from "./series.ts";
import { isActive, latency, say, shown, windowRows } from "./signals.ts";
import { source } from "./source.ts";

/** How often a window that still grows is asked for. */
const FRESH_MS = 2000;
/** What "now" is while users are at work. */
const NOW_S = 10;

export interface View {
  rows: ReadonlyMap<number, Row>;
  names: ReadonlyMap<number, Name>;
  intervals: Intervals | null;
  /** Nothing has come for this window yet: the rows are empty or another window's. */
  isWaiting: boolean;
}

/** The seconds of the run that a window has; null for what is not one stretch of time. */
export function span(window: Window, run: Run): [from: number, to: number] | null {
  switch (window.kind) {
    case "whole":
      return run.since_us > 0 ? [0, run.t] : null;
    case "last":
      return [Math.max(0, run.t - 60), run.t];
    case "range":
      return [window.from, Math.min(window.to, run.t)];
    default:
      return null;
  }
}

/** The stretches of this run that a window or a comparison is about, for the charts. */
export function spans(window: Window, run: Run): [from: number, to: number][] {
  if (window.kind === "range") return [[window.from, window.to]];
  if (window.kind !== "compare") return [];
  return [window.a, window.b].flatMap((side) => {
    const range = /^(\d+)@(\d+)-(\d+)$/.exec(side);
    return range && Number(range[1]) === run.run
      ? [[Number(range[2]), Number(range[3])] as [number, number]]
      : [];
  });
}

export function title(window: Window): string {
  switch (window.kind) {
    case "whole":
      return "whole run";
    case "reset":
      return "since the reset";
    case "last":
      return "last 60 s";
    case "range":
      return `${clock(window.from)}–${clock(window.to)}`;
    case "generation":
      return `generation ${window.n}`;
    case "compare":
      return `${sideTitle(window.a)} against ${sideTitle(window.b)}`;
  }
}

/** A side of a comparison in words. */
export function sideTitle(side: string): string {
  const generation = /\/gen:(\d+)$/.exec(side);
  if (generation) return `generation ${generation[1]}`;
  const range = /@(\d+)-(\d+)$/.exec(side);
  if (range) return `${clock(Number(range[1]))}–${clock(Number(range[2]))}`;
  return `run ${side}`;
}

const byId = (rows: Row[]): ReadonlyMap<number, Row> => new Map(rows.map((row) => [row[0]!, row]));

/** Rates of now where there is no now: those over the whole of the rows' time. */
function overall(rows: Iterable<Row>): ReadonlyMap<number, Row> {
  return byId(
    [...rows].map((row) => {
      const copy = [...row];
      copy[COL.currentRps] = row[COL.rps]!;
      copy[COL.currentFailuresPerS] = row[COL.failuresPerS]!;
      return copy;
    }),
  );
}

export const view = computed<View | null>(() => {
  const run = shown.value;
  if (!run) return null;
  const { window } = route.value;
  if (window.kind === "generation") {
    const own = run.by_generation.find((part) => part.first <= window.n && window.n <= part.last);
    return {
      rows: overall(own?.rows ?? []),
      names: run.names,
      intervals: own?.intervals ?? null,
      isWaiting: !own,
    };
  }
  const asked = span(window, run);
  if (!asked) {
    const rows = isActive(run.state) ? run.rows : overall(run.rows.values());
    return { rows, names: run.names, intervals: null, isWaiting: false };
  }
  const got = windowRows.value;
  if (!got) return { rows: new Map(), names: run.names, intervals: null, isWaiting: true };
  return {
    rows: overall(got.rows.rows),
    names: new Map(got.rows.names.map((name) => [name[0], name])),
    intervals: got.rows.intervals,
    isWaiting: got.key !== keyOf(window),
  };
});

const keyOf = (window: Window): string =>
  window.kind === "range" ? `${window.from}-${window.to}` : window.kind;

/** What the two sides have, once it has come. */
export const comparison = signal<Comparison | null>(null);

let asking = 0;

/** Asks for the window's rows when it is chosen, and again while it grows. */
export function keepFresh(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wanted = computed(() => {
    const { window, run } = route.value;
    return JSON.stringify([window, run, shown.value?.run, shown.value?.since_us === 0]);
  });
  effect(() => {
    void wanted.value;
    clearTimeout(timer);
    const mine = ++asking;
    const again = async () => {
      const isGrowing = await refresh(mine).catch((error: unknown) => {
        if (mine === asking) say(error instanceof Error ? error.message : String(error), true);
        return false;
      });
      if (isGrowing && mine === asking) timer = setTimeout(() => void again(), FRESH_MS);
    };
    void again();
  });
}

/** Fetches what the window needs; says whether it may change yet. */
async function refresh(mine: number): Promise<boolean> {
  const run = shown.peek();
  const { window } = route.peek();
  if (window.kind !== "compare") comparison.value = null;
  if (!run?.run) return false;
  const grows = isActive(run.state);
  if (window.kind === "compare") {
    const got = await source().compare(window.a, window.b);
    if (mine === asking) comparison.value = got;
    return grows;
  }
  const asked = span(window, run);
  if (!asked) {
    windowRows.value = null;
    return false;
  }
  if (asked[1] > asked[0] && !document.hidden) {
    const rows = await source().window(run.run, asked[0], asked[1]);
    if (mine === asking) windowRows.value = { key: keyOf(window), rows };
  }
  return grows && (window.kind !== "range" || window.to > run.t - 12);
}

/** The numbers on top, and what they are over. */
export interface Figures {
  over: string;
  requests: number;
  failures: number;
  rps: number;
  p50: number;
  p95: number;
  p99: number;
}

/** From the total's own history, so that brushing shows its numbers at once. */
export const topFigures = computed<Figures | null>(() => {
  const run = shown.value;
  if (!run) return null;
  const { window } = route.value;
  // After a reset the run's own rows begin there; the whole run's come from the server.
  const total = view.value?.rows.get(0) ?? run.rows.get(0);
  if (window.kind === "generation") return ofRow(view.value?.rows.get(0), title(window));
  if (window.kind === "range" || window.kind === "last") {
    const [from, to] = span(window, run)!;
    return ofSeconds(run, from, to, title(window));
  }
  if (!isActive(run.state)) return ofRow(total, title(window));
  const now = ofSeconds(run, Math.max(0, run.t - NOW_S), run.t, `last ${NOW_S} s`);
  return {
    ...now,
    requests: total?.[COL.requests] ?? 0,
    failures: total?.[COL.failures] ?? 0,
    rps: total?.[COL.currentRps] ?? now.rps,
  };
});

function ofRow(row: Row | undefined, over: string): Figures | null {
  if (!row) return null;
  const isService = latency.value === "service";
  return {
    over,
    requests: row[COL.requests]!,
    failures: row[COL.failures]!,
    rps: row[COL.rps]!,
    p50: row[isService ? COL.serviceP50 : COL.p50]!,
    p95: row[isService ? COL.serviceP95 : COL.p95]!,
    p99: row[isService ? COL.serviceP99 : COL.p99]!,
  };
}

function ofSeconds(run: Run, from: number, to: number, over: string): Figures {
  const stretches = within(run.series.get(0) ?? [], from, to);
  const all = merge(stretches.map((stretch) => times(stretch, latency.value)));
  const sum = (pick: (stretch: (typeof stretches)[number]) => number) =>
    stretches.reduce((total, stretch) => total + pick(stretch), 0);
  const requests = sum((stretch) => stretch.requests);
  return {
    over,
    requests,
    failures: sum((stretch) => stretch.failures),
    rps:
      requests /
      Math.max(
        1,
        sum((stretch) => stretch.len),
      ),
    p50: quantile(all, 0.5),
    p95: quantile(all, 0.95),
    p99: quantile(all, 0.99),
  };
}

/** Puts a name on the charts, or takes it off. */
export function toggleChosen(id: number, most: number): void {
  const { chosen } = route.peek();
  if (chosen.includes(id)) go({ chosen: chosen.filter((one) => one !== id) });
  else go({ chosen: [...chosen, id].slice(-most) });
}
