/**
 * Histograms of times as the server sends them: decoding, merging, quantiles and their intervals.
 *
 * Buckets are log-linear, 128 per power of two from 256 µs on and whole µs below, so a value read
 * from one is at most 0.8 % above the true one. Indices stay below 3,300, which lets a merge use
 * one flat array.
 */

/** Times beyond this many µs (an hour) count as this many. */
export const MOST_US = 3_600_000_000;

/** Counts of times by bucket; `index` ascends, and `count` is the sum of `counts`. */
export interface Histogram {
  count: number;
  min: number;
  max: number;
  sum: number;
  index: Uint16Array;
  counts: Float64Array;
}

/** One stretch of the time axis of one series. */
export interface Stretch {
  /** First second and length in seconds. */
  from: number;
  len: number;
  requests: number;
  failures: number;
  missed: number;
  sent: number;
  received: number;
  /** Samples were lost to a full queue, so the second is known to be incomplete. */
  isIncomplete: boolean;
  /** Whether service times differ from response times anywhere in the stretch. */
  differs: boolean;
  response: Histogram;
  service: Histogram;
  /** Ages of requests that were cut: lower bounds of what they would have taken. */
  unfinished: Histogram;
}

const NOTHING: Histogram = {
  count: 0,
  min: 0,
  max: 0,
  sum: 0,
  index: new Uint16Array(0),
  counts: new Float64Array(0),
};

export function empty(): Histogram {
  return NOTHING;
}

/** The bucket that holds a time of `us` whole microseconds. */
export function bucketOf(us: number): number {
  const time = Math.min(us, MOST_US);
  if (time < 256) return time;
  const spare = 31 - Math.clz32(time) - 7;
  return spare * 128 + (time >>> spare);
}

/** The lowest time of a bucket. Multiplies where a shift would overflow 31 bits. */
export function lowestOf(index: number): number {
  if (index < 256) return index;
  const spare = Math.floor(index / 128) - 1;
  return (index - spare * 128) * 2 ** spare;
}

/** The highest time of a bucket. */
export function highestOf(index: number): number {
  if (index < 256) return index;
  const spare = Math.floor(index / 128) - 1;
  return (index - spare * 128 + 1) * 2 ** spare - 1;
}

/** Reads LEB128 integers; beyond 2^53 they lose their last bits, which no count or sum here reaches. */
class Reader {
  private at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  next(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new Error("a slot ends in the middle of a number");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }

  histogram(): Histogram {
    const [count, min, max, sum, pairs] = [
      this.next(),
      this.next(),
      this.next(),
      this.next(),
      this.next(),
    ];
    if (pairs === 0) return NOTHING;
    if (pairs > 4096) throw new Error("a slot has more buckets than there are");
    const index = new Uint16Array(pairs);
    const counts = new Float64Array(pairs);
    let bucket = 0;
    for (let i = 0; i < pairs; i++) {
      bucket += this.next();
      index[i] = bucket;
      counts[i] = this.next();
    }
    return { count, min, max, sum, index, counts };
  }
}

/** Decodes the base64 text of a slot. */
export function decode(from: number, len: number, base64: string): Stretch {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const reader = new Reader(bytes);
  const flags = reader.next();
  const [requests, failures, missed, sent, received] = [
    reader.next(),
    reader.next(),
    reader.next(),
    reader.next(),
    reader.next(),
  ];
  const response = reader.histogram();
  const differs = (flags & 1) !== 0;
  return {
    from,
    len,
    requests,
    failures,
    missed,
    sent,
    received,
    isIncomplete: (flags & 4) !== 0,
    differs,
    response,
    service: differs ? reader.histogram() : response,
    unfinished: (flags & 2) !== 0 ? reader.histogram() : NOTHING,
  };
}

/** One histogram of everything in `parts`. Exact: buckets are added up. */
export function merge(parts: readonly Histogram[]): Histogram {
  const some = parts.filter((part) => part.count > 0);
  if (some.length === 0) return NOTHING;
  if (some.length === 1) return some[0]!;
  const flat = new Float64Array(bucketOf(MOST_US) + 1);
  let [count, sum, min, max] = [0, 0, Number.POSITIVE_INFINITY, 0];
  for (const part of some) {
    for (let i = 0; i < part.index.length; i++) flat[part.index[i]!]! += part.counts[i]!;
    count += part.count;
    sum += part.sum;
    min = Math.min(min, part.min);
    max = Math.max(max, part.max);
  }
  const used = flat.reduce((n, counted) => n + (counted > 0 ? 1 : 0), 0);
  const index = new Uint16Array(used);
  const counts = new Float64Array(used);
  let at = 0;
  flat.forEach((counted, bucket) => {
    if (counted === 0) return;
    index[at] = bucket;
    counts[at++] = counted;
  });
  return { count, min, max, sum, index, counts };
}

/** The time at `rank` (from 1): the highest of its bucket, kept within what was seen. */
function atRank(histogram: Histogram, rank: number): number {
  let before = 0;
  for (let i = 0; i < histogram.index.length; i++) {
    before += histogram.counts[i]!;
    if (before >= rank) {
      return Math.min(Math.max(highestOf(histogram.index[i]!), histogram.min), histogram.max);
    }
  }
  return histogram.max;
}

/** The quantile `q` (0 to 1) in µs, 0 without any time. */
export function quantile(histogram: Histogram, q: number): number {
  if (histogram.count === 0) return 0;
  return atRank(histogram, Math.max(1, Math.ceil(q * histogram.count)));
}

/**
 * Whether so many times have a 95 % interval of a quantile at all: below, its upper rank would lie
 * beyond the last of them (p95 takes 73 times, p99 380).
 */
export function hasInterval(count: number, q: number): boolean {
  const half = 1.96 * Math.sqrt(count * q * (1 - q));
  return count * q - half >= 1 && count * q + half <= count;
}

/**
 * The 95 % interval of the quantile `q`, from order statistics: it assumes that requests are
 * independent of each other, which is the best one can do without a model of the target.
 */
export function interval(histogram: Histogram, q: number): [number, number] {
  const n = histogram.count;
  if (n === 0) return [0, 0];
  const half = 1.96 * Math.sqrt(n * q * (1 - q));
  const rank = (at: number) => Math.min(n, Math.max(1, at));
  return [
    atRank(histogram, rank(Math.floor(n * q - half))),
    atRank(histogram, rank(Math.ceil(n * q + half))),
  ];
}

/** How many heat cells a power of two has. */
const CELLS = 16;

/** The heat cell of a time: 16 per power of two. */
export function cellOf(us: number): number {
  if (us < 1) return 0;
  const power = Math.floor(Math.log2(us));
  return power * CELLS + Math.floor((us / 2 ** power - 1) * CELLS);
}

/** The lowest time of a heat cell, not rounded. */
export function cellFrom(cell: number): number {
  const power = Math.floor(cell / CELLS);
  return 2 ** power * (1 + (cell - power * CELLS) / CELLS);
}

/** Counts by heat cell, as pairs in the order of times. */
export function heat(histogram: Histogram): [cell: number, count: number][] {
  const cells: [number, number][] = [];
  for (let i = 0; i < histogram.index.length; i++) {
    const cell = cellOf(lowestOf(histogram.index[i]!));
    const last = cells[cells.length - 1];
    if (last && last[0] === cell) last[1] += histogram.counts[i]!;
    else cells.push([cell, histogram.counts[i]!]);
  }
  return cells;
}
