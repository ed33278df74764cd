/** Rows made in the page from histories: what the server does for windows, for the report. */

import { COL, type Intervals, type Name, type Row } from "../api.ts";
import { type Histogram, interval, merge, quantile } from "../hdr.ts";
import { type Series, times, within } from "./series.ts";

const QUANTILES: [column: number, q: number][] = [
  [COL.p50, 0.5],
  [COL.p66, 0.66],
  [COL.p75, 0.75],
  [COL.p80, 0.8],
  [COL.p90, 0.9],
  [COL.p95, 0.95],
  [COL.p98, 0.98],
  [COL.p99, 0.99],
  [COL.p999, 0.999],
  [COL.p9999, 0.9999],
];

function average(histogram: Histogram): number {
  return histogram.count === 0 ? 0 : histogram.sum / histogram.count;
}

/** The row of one series over some of its stretches, `seconds` long. */
function rowOf(id: number, series: Series, response: Histogram, seconds: number): Row {
  const service = merge(series.map((stretch) => times(stretch, "service")));
  const sum = (pick: (stretch: Series[number]) => number) =>
    series.reduce((total, stretch) => total + pick(stretch), 0);
  const row = new Array<number>(COL.certainTo + 1).fill(0);
  row[COL.id] = id;
  row[COL.requests] = sum((stretch) => stretch.requests);
  row[COL.failures] = sum((stretch) => stretch.failures);
  for (const [column, q] of QUANTILES) row[column] = quantile(response, q);
  row[COL.min] = response.min;
  row[COL.max] = response.max;
  row[COL.avg] = average(response);
  row[COL.sent] = sum((stretch) => stretch.sent);
  row[COL.received] = sum((stretch) => stretch.received);
  row[COL.rps] = row[COL.requests]! / seconds;
  row[COL.failuresPerS] = row[COL.failures]! / seconds;
  row[COL.serviceP50] = quantile(service, 0.5);
  row[COL.serviceP95] = quantile(service, 0.95);
  row[COL.serviceP99] = quantile(service, 0.99);
  row[COL.serviceAvg] = average(service);
  row[COL.unfinished] = sum((stretch) => stretch.unfinished.count);
  row[COL.certainTo] = 1;
  return row;
}

export interface Part {
  from: number;
  to: number;
  rows: Row[];
  intervals: Intervals;
}

/** The window, as much longer as it takes to have none of these stretches in part. */
function snapped(all: Iterable<Series>, from: number, to: number): [from: number, to: number] {
  let [first, end] = [from, to];
  for (const series of all) {
    for (const stretch of within(series, from, to)) {
      first = Math.min(first, stretch.from);
      end = Math.max(end, stretch.from + stretch.len);
    }
  }
  return first === from && end === to ? [from, to] : snapped(all, first, end);
}

/** All rows of a window, snapped to the stretches of the total and of the names, which are longer. */
export function partOf(
  histories: ReadonlyMap<number, Series>,
  names: Iterable<Name>,
  from: number,
  to: number,
): Part {
  const [first, end] = snapped([...histories.values()], from, to);
  const rows: Row[] = [];
  const intervals: Intervals = {};
  for (const [id] of names) {
    const own = within(histories.get(id) ?? [], first, end);
    const response = merge(own.map((stretch) => times(stretch, "response")));
    if (response.count === 0) continue;
    rows.push(rowOf(id, own, response, Math.max(1, end - first)));
    intervals[id] = [
      ...interval(response, 0.5),
      ...interval(response, 0.95),
      ...interval(response, 0.99),
    ];
  }
  return { from: first, to: end, rows, intervals };
}
