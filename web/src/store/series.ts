/** The history of one series: its stretches in order, and percentile points drawn from them. */

import type { Slot } from "../api.ts";
import { decode, type Histogram, merge, quantile, type Stretch } from "../hdr.ts";

export type Series = readonly Stretch[];

/**
 * `series` with newer slots put over it. The last seconds of a live run come again and again,
 * because late samples still change them; everything from the first new slot on is replaced.
 * A slot that cannot be read is left out: one bad slot must not cost the page.
 */
export function put(series: Series, slots: readonly Slot[]): Series {
  const first = slots[0];
  if (!first) return series;
  const kept = series.filter((stretch) => stretch.from + stretch.len <= first[0]);
  for (const [from, len, base64] of slots) {
    try {
      kept.push(decode(from, len, base64));
    } catch (error) {
      console.warn("Katydid: a slot was left out", from, error);
    }
  }
  return kept;
}

/** Which of the two latencies is looked at. */
export type Latency = "response" | "service";

/** Everything that counts as a time of a stretch; ages of cut requests are lower bounds. */
export function times(stretch: Stretch, latency: Latency): Histogram {
  const ended = latency === "response" ? stretch.response : stretch.service;
  return stretch.unfinished.count === 0 ? ended : merge([ended, stretch.unfinished]);
}

/** A percentile, and how much it rests on. */
export interface Point {
  value: number;
  requests: number;
  seconds: number;
  /** Fewer requests than the percentile needs, even over ten slots. */
  isThin: boolean;
}

/** How many slots a point may reach back over. */
const REACH = 10;

/**
 * The percentile `q` of each stretch, over as many stretches before it as it takes to have
 * 1 / (1 - q) requests, so that a p99 never rests on three requests without saying so. Null where
 * nothing ended in the stretch itself.
 */
export function points(series: Series, q: number, latency: Latency): (Point | null)[] {
  const needed = Math.ceil(1 / (1 - q) - 1e-9);
  return series.map((stretch, at) => {
    const own = times(stretch, latency);
    if (own.count === 0) return null;
    const parts = [own];
    let [requests, seconds] = [own.count, stretch.len];
    for (let back = 1; requests < needed && back < REACH && at - back >= 0; back++) {
      const before = series[at - back]!;
      const older = times(before, latency);
      parts.push(older);
      requests += older.count;
      seconds += before.len;
    }
    return { value: quantile(merge(parts), q), requests, seconds, isThin: requests < needed };
  });
}

/** The same, remembered for each stretch: a second changes the last few points, not all. */
export class Points {
  private before: Series = [];
  private known = new Map<string, (Point | null)[]>();

  of(series: Series, q: number, latency: Latency): (Point | null)[] {
    if (series !== this.before) this.forget(series);
    const key = `${latency} ${q}`;
    const known = this.known.get(key) ?? [];
    if (known.length < series.length) {
      // Points need the stretches before them, so these come along and are cut off again.
      const from = Math.max(0, known.length - REACH);
      const fresh = points(series.slice(from), q, latency);
      known.push(...fresh.slice(known.length - from));
      this.known.set(key, known);
    }
    return known;
  }

  /** Drops the points from the first stretch on that is another one than before. */
  private forget(series: Series): void {
    let same = 0;
    while (same < series.length && series[same] === this.before[same]) same++;
    for (const list of this.known.values()) list.length = Math.min(list.length, same);
    this.before = series;
  }
}

/** The stretches that lie in a window of seconds. */
export function within(series: Series, from: number, to: number): Series {
  return series.filter((stretch) => stretch.from < to && stretch.from + stretch.len > from);
}
