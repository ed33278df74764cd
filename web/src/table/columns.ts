/** The columns of the statistics table: what each shows, and how it sorts. */

import { signal } from "@preact/signals";
import { COL, type Row } from "../api.ts";
import { figures, integer, ms, rate, share } from "../format.ts";
import type { Latency } from "../store/series.ts";

export interface Column {
  key: string;
  head: string;
  /** What the head means, in full. */
  title: string;
  unit?: string;
  value: (row: Row, latency: Latency) => number;
  text: (row: Row, latency: Latency) => string;
  /** Failures are red once there are any. */
  isFailure?: boolean;
  /** Shown until somebody chooses otherwise. */
  isUsual?: boolean;
  /** The same, on a screen that has room for it. */
  isWide?: boolean;
}

const plain = (
  key: string,
  head: string,
  title: string,
  column: number,
  format: (value: number) => string,
  more: Partial<Column> = {},
): Column => ({
  key,
  head,
  title,
  value: (row) => row[column] ?? 0,
  text: (row) => format(row[column] ?? 0),
  ...more,
});

/** A percentile; with `>` where requests that were cut make it a lower bound. */
function percentile(
  q: number,
  head: string,
  response: number,
  service: number | null,
  more: Partial<Column> = {},
): Column {
  const at = (latency: Latency) => (latency === "service" && service !== null ? service : response);
  return {
    key: head,
    head,
    title: `${q * 100} % of requests took at most this long`,
    unit: "ms",
    ...more,
    value: (row, latency) => row[at(latency)] ?? 0,
    text: (row, latency) => {
      const text = ms(row[at(latency)] ?? 0);
      return q > (row[COL.certainTo] ?? 1) + 1e-9 ? `> ${text}` : text;
    },
  };
}

export const COLUMNS: Column[] = [
  plain("requests", "# Req", "Requests", COL.requests, integer, { isUsual: true }),
  plain("failures", "# Fails", "Failed requests", COL.failures, integer, {
    isFailure: true,
    isUsual: true,
  }),
  {
    key: "share",
    head: "Fails %",
    title: "Share of requests that failed",
    isWide: true,
    isFailure: true,
    value: (row) => (row[COL.failures] ?? 0) / Math.max(1, row[COL.requests] ?? 0),
    text: (row) => share(row[COL.failures] ?? 0, row[COL.requests] ?? 0),
  },
  percentile(0.5, "p50", COL.p50, COL.serviceP50, { isUsual: true }),
  percentile(0.66, "p66", COL.p66, null),
  percentile(0.75, "p75", COL.p75, null, { isWide: true }),
  percentile(0.8, "p80", COL.p80, null),
  percentile(0.9, "p90", COL.p90, null, { isWide: true }),
  percentile(0.95, "p95", COL.p95, COL.serviceP95, { isUsual: true }),
  percentile(0.98, "p98", COL.p98, null),
  percentile(0.99, "p99", COL.p99, COL.serviceP99, { isUsual: true }),
  percentile(0.999, "p99.9", COL.p999, null, { isWide: true }),
  percentile(0.9999, "p99.99", COL.p9999, null),
  {
    key: "avg",
    head: "Avg",
    title: "Average time",
    unit: "ms",
    isUsual: true,
    value: (row, latency) => row[latency === "service" ? COL.serviceAvg : COL.avg] ?? 0,
    text: (row, latency) => ms(row[latency === "service" ? COL.serviceAvg : COL.avg] ?? 0),
  },
  plain("min", "Min", "Shortest time", COL.min, ms, { unit: "ms", isUsual: true }),
  plain("max", "Max", "Longest time", COL.max, ms, { unit: "ms", isUsual: true }),
  {
    key: "size",
    head: "Size",
    title: "Average size of a response body",
    unit: "bytes",
    isUsual: true,
    value: (row) => (row[COL.received] ?? 0) / Math.max(1, row[COL.requests] ?? 0),
    text: (row) => integer((row[COL.received] ?? 0) / Math.max(1, row[COL.requests] ?? 0)),
  },
  plain("sent", "Sent", "Bytes sent", COL.sent, integer, { unit: "bytes" }),
  plain("received", "Received", "Bytes received", COL.received, integer, { unit: "bytes" }),
  plain("serviceP95", "Service p95", "From the actual start of a request", COL.serviceP95, ms, {
    unit: "ms",
  }),
  {
    key: "delta",
    head: "Δ p95",
    title: "Response time less service time: how late requests began",
    unit: "ms",
    value: (row) => (row[COL.p95] ?? 0) - (row[COL.serviceP95] ?? 0),
    text: (row) => ms((row[COL.p95] ?? 0) - (row[COL.serviceP95] ?? 0)),
  },
  plain(
    "unfinished",
    "Cut",
    "Requests under way when their users were cut",
    COL.unfinished,
    integer,
  ),
  plain("rps", "req/s avg", "Requests a second over the whole window", COL.rps, rate),
  {
    key: "currentRps",
    head: "req/s",
    title: "Requests a second: now while users are at work, else over the window",
    isUsual: true,
    value: (row) => row[COL.currentRps] ?? 0,
    text: (row) => rate(row[COL.currentRps] ?? 0),
  },
  {
    key: "currentFails",
    head: "fail/s",
    title: "Failures a second: now while users are at work, else over the window",
    isFailure: true,
    isUsual: true,
    value: (row) => row[COL.currentFailuresPerS] ?? 0,
    text: (row) => figures(row[COL.currentFailuresPerS] ?? 0),
  },
];

const KEPT = "katydid-columns";

/** From this width (px) on there is room for the columns of wide screens. */
const WIDE = 1500;

function usual(): string[] {
  const isWide = innerWidth >= WIDE;
  return COLUMNS.filter((column) => column.isUsual || (isWide && column.isWide)).map(
    (column) => column.key,
  );
}

function kept(): string[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(KEPT) ?? "null");
    return Array.isArray(list) && list.length > 0 ? list.map(String) : usual();
  } catch {
    return usual();
  }
}

/** Keys of the columns on the screen. */
export const visible = signal<string[]>(kept());

export function setVisible(keys: string[] | null): void {
  visible.value = keys ?? usual();
  try {
    if (keys) localStorage.setItem(KEPT, JSON.stringify(keys));
    else localStorage.removeItem(KEPT);
  } catch {
    // Then the choice lasts as long as the page.
  }
}
