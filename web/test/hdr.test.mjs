import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";
import * as raw from "./raw.mjs";

const hdr = await load("src/hdr.ts");
const QS = [0, 0.01, 0.5, 0.66, 0.9, 0.95, 0.99, 0.999, 0.9999, 1];

test("buckets are where the edges are", () => {
  const next = raw.random(1);
  const edges = [0, 1, 255, 256, 257, 511, 512, 65535, 65536, 2 ** 31 - 1, 2 ** 31, raw.MOST_US];
  for (const us of [...edges, ...raw.someTimes(next, 20_000), raw.MOST_US + 5]) {
    const index = raw.bucket(us);
    assert.equal(hdr.bucketOf(us), index, `bucket of ${us}`);
    assert.equal(hdr.lowestOf(index), raw.lowest(index), `lowest of ${index}`);
    assert.equal(hdr.highestOf(index), raw.highest(index), `highest of ${index}`);
  }
});

test("a value is at most 0.8 % above the true one", () => {
  for (const us of raw.someTimes(raw.random(2), 5000)) {
    const read = hdr.highestOf(hdr.bucketOf(us));
    assert.ok(read >= us && read <= us * 1.0079, `${us} reads ${read}`);
  }
});

test("a slot decodes to what went into it", () => {
  const next = raw.random(3);
  const response = raw.someTimes(next, 700);
  const service = response.map((us) => Math.ceil(us / 2));
  const unfinished = raw.someTimes(next, 9);
  const base64 = raw.slot({ response, service, unfinished, failures: 3, missed: 2, flags: 4 });
  const stretch = hdr.decode(12, 4, base64);
  assert.deepEqual(
    [stretch.from, stretch.len, stretch.requests, stretch.failures, stretch.missed],
    [12, 4, 700, 3, 2],
  );
  assert.deepEqual([stretch.sent, stretch.received], [4900, 5_000_000_000]);
  assert.ok(stretch.isIncomplete && stretch.differs);
  for (const [histogram, times] of [
    [stretch.response, response],
    [stretch.service, service],
    [stretch.unfinished, unfinished],
  ]) {
    assert.equal(histogram.count, times.length);
    assert.equal(
      histogram.sum,
      times.reduce((a, b) => a + b, 0),
    );
    for (const q of QS) assert.equal(hdr.quantile(histogram, q), raw.quantile(times, q), `q ${q}`);
  }
});

test("without a second list the service times are the response times", () => {
  const stretch = hdr.decode(0, 1, raw.slot({ response: [5, 900] }));
  assert.equal(stretch.service, stretch.response);
  assert.equal(stretch.unfinished.count, 0);
  assert.ok(!stretch.differs && !stretch.isIncomplete);
});

test("an empty slot has quantiles of 0", () => {
  const stretch = hdr.decode(0, 1, raw.slot({ response: [] }));
  assert.equal(stretch.response.count, 0);
  assert.equal(hdr.quantile(stretch.response, 0.99), 0);
  assert.deepEqual(hdr.interval(stretch.response, 0.99), [0, 0]);
});

test("a cut slot is refused, not half read", () => {
  const bytes = Buffer.from(raw.slot({ response: [5, 900, 70_000] }), "base64");
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(
      () => hdr.decode(0, 1, bytes.subarray(0, length).toString("base64")),
      `${length}`,
    );
  }
});

test("merged slots are the slot of all times", () => {
  const next = raw.random(4);
  const parts = [1, 40, 0, 900].map((count) => raw.someTimes(next, count, 50, 80_000_000));
  const histograms = parts.map((times) => hdr.decode(0, 1, raw.slot({ response: times })).response);
  const merged = hdr.merge(histograms);
  const whole = hdr.decode(0, 1, raw.slot({ response: parts.flat() })).response;
  assert.deepEqual(merged, whole);
  for (const q of QS) assert.equal(hdr.quantile(merged, q), raw.quantile(parts.flat(), q));
});

test("intervals are the values at the ranks around the quantile", () => {
  const times = raw.someTimes(raw.random(5), 1000, 1000, 1_000_000);
  const sorted = [...times].sort((a, b) => a - b);
  const { response } = hdr.decode(0, 1, raw.slot({ response: times }));
  // 1000 · 0.95 ± 1.96 · √(1000 · 0.95 · 0.05) = 950 ± 13.5
  const expected = [raw.atRank(sorted, 936), raw.atRank(sorted, 964)];
  assert.deepEqual(hdr.interval(response, 0.95), expected);
});

test("an interval contains the true quantile about as often as it says", () => {
  const next = raw.random(6);
  let held = 0;
  for (let round = 0; round < 400; round++) {
    const times = raw.someTimes(next, 400, 1000, 1_000_000);
    const [low, high] = hdr.interval(hdr.decode(0, 1, raw.slot({ response: times })).response, 0.9);
    const truth = 1000 * 1000 ** 0.9;
    if (low <= truth && truth <= high) held++;
  }
  assert.ok(held >= 370 && held <= 396, `${held} of 400`);
});

test("heat cells keep all requests and lie around their times", () => {
  const times = raw.someTimes(raw.random(7), 3000, 20, 60_000_000);
  const cells = hdr.heat(hdr.decode(0, 1, raw.slot({ response: times })).response);
  assert.equal(
    cells.reduce((sum, [, count]) => sum + count, 0),
    3000,
  );
  for (const us of times) {
    const cell = hdr.cellOf(raw.lowest(raw.bucket(us)));
    assert.ok(hdr.cellFrom(cell) <= us && us < hdr.cellFrom(cell + 1) + 1, `${us} in ${cell}`);
    assert.ok(cells.some(([own]) => own === cell));
  }
});

test("few times have no interval of a high quantile", () => {
  const least = (q) => {
    let count = 1;
    while (!hdr.hasInterval(count, q)) count++;
    return count;
  };
  assert.deepEqual([0.5, 0.95, 0.99].map(least), [8, 73, 381]);
});
