/** Slots as the server's own encoder writes them: `slots.json` comes from its tests. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { load } from "./load.mjs";

const hdr = await load("src/hdr.ts");
const vectors = JSON.parse(await readFile(new URL("./slots.json", import.meta.url), "utf8"));

function assertTimes(found, expected, what) {
  const { count, min_us, max_us, sum_us, buckets } = expected ?? { count: 0 };
  assert.equal(found.count, count, what);
  if (count === 0) return;
  assert.deepEqual([found.min, found.max, found.sum], [min_us, max_us, sum_us], what);
  assert.deepEqual(
    [...found.index].map((bucket, at) => [bucket, found.counts[at]]),
    buckets,
    what,
  );
}

function assertPercentiles(histogram, expected, what) {
  const quantiles = [0.5, 0.95, 0.99].map((q) => hdr.quantile(histogram, q));
  const intervals = [0.5, 0.95, 0.99].flatMap((q) => hdr.interval(histogram, q));
  assert.deepEqual(quantiles, expected.quantiles_us, what);
  assert.deepEqual(intervals, expected.intervals_us, what);
}

test("slots of the server are read as it means them", () => {
  assert.ok(vectors.slots.length > 5);
  for (const { what, slot, expected } of vectors.slots) {
    const stretch = hdr.decode(...slot);
    for (const name of ["requests", "failures", "missed", "sent", "received"]) {
      assert.equal(stretch[name], expected[name], `${what}: ${name}`);
    }
    assert.equal(stretch.differs, expected.service !== null, what);
    assertTimes(stretch.response, expected.response, what);
    assertTimes(stretch.service, expected.service ?? expected.response, what);
    assertTimes(stretch.unfinished, expected.ages, what);
    const whole = hdr.merge([stretch.response, stretch.unfinished]);
    assertPercentiles(whole, expected, what);
  }
});

test("merged slots of the server are its sum", () => {
  const all = vectors.slots.map(({ slot }) => hdr.decode(...slot));
  const response = hdr.merge(all.map((stretch) => stretch.response));
  const ages = hdr.merge(all.map((stretch) => stretch.unfinished));
  assertTimes(response, vectors.sum.response, "response");
  assertTimes(hdr.merge(all.map((stretch) => stretch.service)), vectors.sum.service, "service");
  assertTimes(ages, vectors.sum.ages, "ages");
  assertPercentiles(hdr.merge([response, ages]), vectors.sum, "sum");
});
