import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";
import * as raw from "./raw.mjs";

const { put, points, Points, within } = await load("src/store/series.ts");
const { partOf } = await load("src/store/rows.ts");
const { changedLines } = await load("src/script/diff.ts");
const { tokens } = await load("src/script/lexer.ts");
const format = await load("src/format.ts");

/** A series with these times in its seconds. */
const seriesOf = (seconds) =>
  put(
    [],
    seconds.map((response, second) => [second, 1, raw.slot({ response })]),
  );

test("newer slots replace everything from the first of them on", () => {
  const series = seriesOf([[1], [2], [3]]);
  const next = put(series, [
    [1, 1, raw.slot({ response: [20, 21] })],
    [2, 1, raw.slot({ response: [30] })],
    [3, 1, raw.slot({ response: [40] })],
  ]);
  assert.deepEqual(
    next.map((stretch) => [stretch.from, stretch.requests, stretch.response.max]),
    [
      [0, 1, 1],
      [1, 2, 21],
      [2, 1, 30],
      [3, 1, 40],
    ],
  );
  assert.equal(next[0], series[0], "what is unchanged stays the same object");
});

test("a slot that cannot be read costs only itself", () => {
  const warned = console.warn;
  console.warn = () => {};
  const series = put(
    [],
    [
      [0, 1, raw.slot({ response: [5] })],
      [1, 1, "gA=="],
      [2, 1, raw.slot({ response: [7] })],
    ],
  );
  console.warn = warned;
  assert.deepEqual(
    series.map((stretch) => stretch.from),
    [0, 2],
  );
});

test("a point reaches back until it has the requests its percentile needs", () => {
  const series = seriesOf([
    [1, 2, 3, 4, 5, 6, 7, 8],
    [9, 10, 11, 12, 13, 14],
    [20, 21, 22, 23, 24, 25, 26],
    [],
  ]);
  const found = points(series, 0.95, "response");
  // 8 requests, then 14, then 7 + 6 + 8 = 21 over three seconds; nothing in the last one.
  assert.deepEqual(
    found.map((point) => point && [point.requests, point.seconds, point.isThin]),
    [[8, 1, true], [14, 2, true], [21, 3, false], null],
  );
  assert.equal(
    found[2].value,
    raw.quantile(
      [...Array(14).keys()].map((n) => n + 1).concat([20, 21, 22, 23, 24, 25, 26]),
      0.95,
    ),
  );
});

test("a point of many requests is its own second's", () => {
  const times = raw.someTimes(raw.random(1), 200, 1000, 9000);
  const [, point] = points(seriesOf([[1, 2, 3], times]), 0.99, "response");
  assert.deepEqual([point.requests, point.seconds, point.isThin], [200, 1, false]);
  assert.equal(point.value, raw.quantile(times, 0.99));
});

test("a point reaches back over ten slots at most", () => {
  const series = seriesOf(Array.from({ length: 30 }, () => [5]));
  const last = points(series, 0.99, "response")[29];
  assert.deepEqual([last.requests, last.seconds, last.isThin], [10, 10, true]);
});

test("remembered points are those computed anew, also when the end changes", () => {
  const next = raw.random(8);
  const remembered = new Points();
  let series = [];
  for (let second = 0; second < 60; second++) {
    const from = Math.max(0, second - 2);
    const slots = [];
    for (let at = from; at <= second; at++) {
      slots.push([
        at,
        1,
        raw.slot({ response: raw.someTimes(next, Math.floor(next() * 30), 500, 90_000) }),
      ]);
    }
    series = put(series, slots);
    for (const q of [0.5, 0.95, 0.99]) {
      assert.deepEqual([...remembered.of(series, q, "response")], points(series, q, "response"));
    }
  }
});

test("the row of a window is that of its times", () => {
  const next = raw.random(9);
  const seconds = Array.from({ length: 20 }, () => raw.someTimes(next, 50, 800, 400_000));
  const histories = new Map([[0, seriesOf(seconds)]]);
  const part = partOf(histories, [[0, "total", "", "Aggregated"]], 5, 9);
  const times = seconds.slice(5, 9).flat();
  const [row] = part.rows;
  assert.deepEqual([part.from, part.to, row[1], row[18]], [5, 9, 200, 50]);
  assert.equal(row[8], raw.quantile(times, 0.95));
  assert.equal(row[15], times.reduce((a, b) => a + b, 0) / 200);
  assert.equal(within(histories.get(0), 5, 9).length, 4);
});

test("a window is as much longer as the stretches of names need to be whole in it", () => {
  const next = raw.random(7);
  const seconds = Array.from({ length: 16 }, () => raw.someTimes(next, 5, 800, 40_000));
  // As in a long report: the name has stretches of four seconds where the total has single ones.
  const fours = [0, 4, 8, 12].map((from) => [
    from,
    4,
    raw.slot({ response: seconds.slice(from, from + 4).flat() }),
  ]);
  const histories = new Map([
    [0, seriesOf(seconds)],
    [1, put([], fours)],
  ]);
  const names = [
    [0, "total", "", "Aggregated"],
    [1, "http", "GET", "/"],
  ];
  const part = partOf(histories, names, 5, 9);
  assert.deepEqual([part.from, part.to], [4, 12]);
  assert.deepEqual(
    part.rows.map((row) => [row[1], row[18]]),
    [
      [40, 5],
      [40, 5],
    ],
    "the name's row is the total's, and so is its rate",
  );
});

test("changed lines are those that the version before does not have", () => {
  assert.deepEqual([...changedLines("a\nb\nc", "a\nx\nb\nc\ny")], [2, 5]);
  assert.deepEqual([...changedLines("a\nb", "a\nb")], []);
  assert.deepEqual([...changedLines("", "a")], [1]);
  assert.deepEqual([...changedLines("a\nb\nc", "c\na\nb")], [1]);
});

test("tokens have their lines and columns, also over several lines", () => {
  const found = tokens('let a = "é"; // so\nf(12) /* x\n y */ `t\nu`');
  assert.deepEqual(found, [
    [1, 1, 3, "keyword"],
    [1, 7, 1, "operator"],
    [1, 9, 3, "string"],
    [1, 14, 5, "comment"],
    [2, 1, 1, "function"],
    [2, 3, 2, "number"],
    [2, 7, 4, "comment"],
    [3, 1, 5, "comment"],
    [3, 7, 2, "string"],
    [4, 1, 2, "string"],
  ]);
});

test("numbers have three figures, as on the console", () => {
  const texts = [0.4149, 1.736, 20.96, 904.4, 1204.2, 99.96, 0, 9.996].map(format.figures);
  assert.deepEqual(texts, ["0.415", "1.74", "21.0", "904", "1,204", "100", "0", "10.0"]);
  assert.deepEqual(
    [
      format.share(801, 668_112),
      format.share(0, 5),
      format.share(1, 1e6),
      format.share(9999, 10000),
    ],
    ["0.12 %", "0 %", "< 0.01 %", "99.9 %"],
  );
  assert.deepEqual([format.clock(134), format.clock(3734)], ["02:14", "1:02:14"]);
});
