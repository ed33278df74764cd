import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { fleet, inOrder, isLost, label, missing, past, troubles } =
  await load("src/store/workers.ts");

const idle = {
  cpu: 0.2,
  throttled: 0,
  rss_bytes: 1,
  memory_bytes: 2,
  lag_p99_ms: 0.2,
  lag_max_ms: 1,
};
const calm = { now: [], busy_s: 0, throttled_s: 0, lagging_s: 0 };

const worker = (number, more) => ({
  number,
  name: "box",
  state: "running",
  since_s: 0,
  counted_s: 0,
  missing: 0,
  now: idle,
  strained: calm,
  ...more,
});

test("a worker is called as the log calls it", () => {
  assert.equal(label(worker(2)), "worker 2 (box)");
  assert.equal(label({ number: 0, name: "" }), "worker 0");
});

test("what a person should know of a worker is said, and nothing else", () => {
  assert.deepEqual(troubles(worker(0)), []);
  assert.deepEqual(troubles(worker(0, { state: "left", since_s: 9 })), []);
  assert.deepEqual(troubles(worker(0, { state: "gone", heard_s: 72 })), ["no sign since 01:12"]);
  const strained = worker(0, {
    now: { ...idle, cpu: 0.97, lag_p99_ms: 12.34, throttled: 0.2 },
    strained: { ...calm, now: ["busy", "throttled", "lagging"] },
  });
  assert.deepEqual(troubles(strained), [
    "busy, now 97 % CPU",
    "throttled, now for 20 % of the time",
    "lagging, now 12.3 ms late (p99)",
  ]);
  assert.equal(past(strained), "");
  const before = { ...calm, busy_s: 4, lagging_s: 1200 };
  assert.equal(past(worker(0, { strained: before })), "busy for 4 s, lagging for 1,200 s");
  // Without users nothing that it says matters.
  assert.deepEqual(troubles({ ...strained, state: "ready" }), []);
});

test("the worst come first, and those that left come last", () => {
  const all = [
    worker(0, { state: "left" }),
    worker(1),
    worker(2, { state: "late" }),
    worker(3, { state: "lost", missing: 45, counted_s: 12.9 }),
    worker(4, { strained: { ...calm, now: ["busy"] }, now: { ...idle, cpu: 0.95 } }),
    worker(5, { state: "ready" }),
  ];
  const others = Array.from({ length: 7 }, (_, at) => worker(at + 6));
  assert.deepEqual(inOrder(all), all, "on one screen they stay where they are");
  assert.deepEqual(
    inOrder([...all, ...others]).map(({ number }) => number),
    [3, 2, 4, 1, 5, 6, 7, 8, 9, 10, 11, 12, 0],
  );
  const { there, troubled, cpu } = fleet(all);
  assert.equal(there, 4);
  assert.deepEqual(
    troubled.map(({ number }) => number),
    [3, 2, 4],
  );
  assert.equal(cpu, 0.95);
  assert.deepEqual(all.filter(isLost).map(missing), [
    "nothing that it measured after 00:12 is in any figure: up to 45 requests",
  ]);
});
