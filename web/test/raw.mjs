/** Histograms by brute force from raw times, written apart from the code that is tested. */

/** The lowest time of each bucket, in order: 0 to 255, then 128 equal parts of each power of two. */
const EDGES = [];
for (let us = 0; us < 256; us++) EDGES.push(us);
for (let power = 256; power <= 2 ** 31; power *= 2) {
  for (let part = 0; part < 128; part++) EDGES.push(power + (part * power) / 128);
}

export const MOST_US = 3_600_000_000;

/** The bucket of a time: the last edge that is not above it. */
export function bucket(us) {
  const time = Math.min(us, MOST_US);
  let [low, high] = [0, EDGES.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (EDGES[middle] <= time) low = middle;
    else high = middle;
  }
  return low;
}

export const lowest = (index) => EDGES[index];
export const highest = (index) => EDGES[index + 1] - 1;

/** The quantile as the contract words it, from the sorted times themselves. */
export function quantile(times, q) {
  const sorted = [...times].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(q * sorted.length));
  return atRank(sorted, rank);
}

export function atRank(sorted, rank) {
  const top = highest(bucket(sorted[rank - 1]));
  return Math.min(Math.max(top, sorted[0]), sorted[sorted.length - 1]);
}

function varint(bytes, value) {
  let rest = BigInt(value);
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 128 : low);
  } while (rest > 0n);
}

function histogram(bytes, times) {
  if (times.length === 0) {
    bytes.push(0, 0, 0, 0, 0);
    return;
  }
  const counts = new Map();
  for (const us of times) counts.set(bucket(us), (counts.get(bucket(us)) ?? 0) + 1);
  const pairs = [...counts].sort((a, b) => a[0] - b[0]);
  const sum = times.reduce((total, us) => total + us, 0);
  for (const value of [times.length, Math.min(...times), Math.max(...times), sum, pairs.length]) {
    varint(bytes, value);
  }
  let before = 0;
  for (const [index, count] of pairs) {
    varint(bytes, index - before);
    varint(bytes, count);
    before = index;
  }
}

/** A slot in base64. `service` and `unfinished` may be left out. */
export function slot({ response, service, unfinished, failures = 0, missed = 0, flags = 0 }) {
  const bytes = [];
  varint(bytes, flags | (service ? 1 : 0) | (unfinished ? 2 : 0));
  for (const value of [response.length, failures, missed, 7 * response.length, 5_000_000_000]) {
    varint(bytes, value);
  }
  histogram(bytes, response);
  if (service) histogram(bytes, service);
  if (unfinished) histogram(bytes, unfinished);
  return Buffer.from(bytes).toString("base64");
}

/** Numbers that repeat: tests must fail the same way twice. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Times whose logarithms are spread evenly from 1 µs to an hour, or within `[low, high]`. */
export function someTimes(next, count, low = 1, high = MOST_US) {
  return Array.from({ length: count }, () => Math.floor(low * (high / low) ** next()));
}
