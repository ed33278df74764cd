/** What each panel shows of a run: pure functions from a run to lines. */

import { figures, integer, ms, rate } from "../format.ts";
import type { Run } from "../store/run.ts";
import { type Latency, type Point, Points, type Series } from "../store/series.ts";
import { NAME_LINES } from "./palette.ts";

export interface Line {
  label: string;
  /** Name of a custom property. */
  colour: string;
  dash?: number[];
  /** Fills down to the ground. */
  isArea?: boolean;
  values: (number | null)[];
  /** Left out of the legend while it is 0. */
  isRare?: boolean;
  format: (value: number) => string;
  /** What a value rests on, if that is worth saying: in a word, and in a sentence. */
  note?: (second: number) => { short: string; full: string } | null;
  /** Seconds whose point rests on too few requests; they are drawn hollow. */
  isThin?: (second: number) => boolean;
}

export interface PanelData {
  id: string;
  title: string;
  unit: string;
  /** As they are drawn, the last one on top. */
  lines: Line[];
  /** The legend begins with the last line. */
  isTopFirst?: boolean;
  isLog?: boolean;
  /** Values are whole numbers. */
  isCount?: boolean;
  heat?: { series: Series; latency: Latency };
  /** A level that should not be passed. */
  limit?: number;
}

/** Puts a value for each stretch on the seconds that it covers. */
function bySecond<T>(length: number, series: Series, values: readonly T[], none: T): T[] {
  const seconds = new Array<T>(length).fill(none);
  series.forEach((stretch, at) => {
    const end = Math.min(length, stretch.from + stretch.len);
    for (let second = stretch.from; second < end; second++) seconds[second] = values[at] ?? none;
  });
  return seconds;
}

/** Zeros left out, but for those beside something: a line along the ground says nothing. */
function sparse(values: number[]): (number | null)[] {
  return values.map((value, at) => (value || values[at - 1] || values[at + 1] ? value : null));
}

function label(run: Run, id: number): string {
  const name = run.names.get(id);
  return name ? `${name[2]} ${name[3]}`.trim() : `#${id}`;
}

export function requests(run: Run, chosen: number[]): PanelData {
  const base = { id: "requests", title: "Requests", unit: "per second", isCount: true };
  if (chosen.length > 0) {
    const lines = chosen.map((id, at): Line => {
      const series = run.series.get(id) ?? [];
      const rates = series.map((stretch) => stretch.requests / stretch.len);
      return {
        label: label(run, id),
        ...NAME_LINES[at % NAME_LINES.length]!,
        values: bySecond<number | null>(run.t, series, rates, null),
        format: rate,
      };
    });
    return { ...base, lines };
  }
  const { seconds } = run;
  return {
    ...base,
    lines: [
      { label: "req/s", colour: "line-1", isArea: true, values: seconds.requests, format: integer },
      {
        label: "failures",
        colour: "failure",
        dash: [4, 3],
        isArea: true,
        values: seconds.failures,
        format: integer,
      },
    ],
  };
}

const PERCENTILES: { q: number; label: string; colour: string; dash?: number[] }[] = [
  { q: 0.99, label: "p99", colour: "p99", dash: [2, 2] },
  { q: 0.95, label: "p95", colour: "p95", dash: [7, 3] },
  { q: 0.5, label: "p50", colour: "p50" },
];

/** Points remembered by series, for as long as a series is on a chart. */
const remembered = new Map<string, Points>();

function pointsOf(key: string, series: Series, q: number, latency: Latency): (Point | null)[] {
  let points = remembered.get(key);
  if (!points) {
    points = new Points();
    remembered.set(key, points);
  }
  return points.of(series, q, latency);
}

function percentile(
  run: Run,
  id: number,
  q: number,
  latency: Latency,
  look: Pick<Line, "label" | "colour" | "dash">,
): Line {
  const series = run.series.get(id) ?? [];
  const found = pointsOf(`${run.run} ${id}`, series, q, latency);
  const seconds = bySecond<Point | null>(run.t, series, found, null);
  return {
    ...look,
    values: seconds.map((point) => (point ? Math.max(point.value, 1) / 1000 : null)),
    format: figures,
    note: (second) => {
      const point = seconds[second];
      if (!point) return null;
      const rests = `${integer(point.requests)} requests in ${point.seconds} s`;
      return {
        short: `n ${integer(point.requests)}${point.seconds > 1 ? ` in ${point.seconds} s` : ""}`,
        full: `${look.label} of ${rests}${point.isThin ? ": too few to rely on" : ""}`,
      };
    },
    isThin: (second) => seconds[second]?.isThin ?? false,
  };
}

export function responseTimes(run: Run, chosen: number[], latency: Latency): PanelData {
  const base = {
    id: "times",
    title: latency === "response" ? "Response time" : "Service time",
    unit: "ms",
    isLog: true,
    isTopFirst: true,
  };
  if (chosen.length > 1) {
    const lines = chosen.map((id, at) =>
      percentile(run, id, 0.95, latency, {
        label: `p95 ${label(run, id)}`,
        ...NAME_LINES[at % NAME_LINES.length]!,
      }),
    );
    return { ...base, lines };
  }
  const id = chosen[0] ?? 0;
  return {
    ...base,
    title: id === 0 ? base.title : `${base.title} · ${label(run, id)}`,
    lines: PERCENTILES.map(({ q, ...look }) => percentile(run, id, q, latency, look)),
    heat: { series: run.series.get(id) ?? [], latency },
  };
}

export function users(run: Run): PanelData {
  const { seconds } = run;
  const lines: Line[] = [
    { label: "asked", colour: "muted", dash: [3, 3], values: seconds.asked, format: integer },
    { label: "running", colour: "line-1", isArea: true, values: seconds.users, format: integer },
  ];
  if (seconds.behind.some((count) => count > 0)) {
    lines.push({
      label: "in older script",
      colour: "warning",
      dash: [6, 2],
      isRare: true,
      values: sparse(seconds.behind),
      format: integer,
    });
  }
  return { id: "users", title: "Users", unit: "", isCount: true, isTopFirst: true, lines };
}

export function inFlight(run: Run): PanelData {
  const { seconds } = run;
  const lines: Line[] = [
    {
      label: "in flight",
      colour: "line-1",
      isArea: true,
      values: seconds.in_flight,
      format: integer,
    },
  ];
  if (seconds.missed.some((count) => count > 0)) {
    lines.push({
      label: "missed iterations",
      colour: "warning",
      dash: [4, 3],
      values: sparse(seconds.missed),
      format: integer,
    });
  }
  return { id: "in-flight", title: "In flight", unit: "requests", isCount: true, lines };
}

/** The lag from which a second is tainted. */
const LATE_MS = 10;

export function generator(run: Run): PanelData {
  const { seconds } = run;
  const cores = Math.max(1, run.generator.cores);
  return {
    id: "generator",
    title: "Generator",
    unit: "%, ms",
    limit: LATE_MS,
    lines: [
      {
        label: "CPU % of its cores",
        colour: "line-1",
        isArea: true,
        values: seconds.cpu_us.map((us) => us / 1e4 / cores),
        format: figures,
      },
      {
        label: "greatest lag ms",
        colour: "p95",
        dash: [5, 3],
        values: seconds.lag_us.map((us) => us / 1000),
        format: (value) => ms(value * 1000),
      },
    ],
  };
}
