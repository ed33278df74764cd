/** Two sides of a comparison: before, after and change for each name, coloured only beyond noise. */

import { COL, type Intervals, type Row } from "./api.ts";
import { integer, ms, rate, share } from "./format.ts";
import { hasInterval } from "./hdr.ts";
import { route } from "./store/route.ts";
import { search } from "./store/signals.ts";
import { comparison, sideTitle } from "./store/view.ts";

/** The percentiles that have intervals, and where these stand. */
const PERCENTILES = [
  { name: "p50", q: 0.5, column: COL.p50, at: 0 },
  { name: "p95", q: 0.95, column: COL.p95, at: 2 },
  { name: "p99", q: 0.99, column: COL.p99, at: 4 },
] as const;

export function CompareTable() {
  const both = comparison.value;
  const { window } = route.value;
  if (!both || window.kind !== "compare") return <p class="empty">both sides are on their way</p>;
  const [a, b] = [rowsById(both.a.rows), rowsById(both.b.rows)];
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const names = both.names.filter(
    ([id, kind, method, name]) =>
      (a.has(id) || b.has(id)) &&
      (kind === "total" || words.every((w) => `${method} ${name}`.toLowerCase().includes(w))),
  );
  names.sort((x, y) => rank(x[1]) - rank(y[1]) || x[3].localeCompare(y[3]));
  const [before, after] = [sideTitle(window.a), sideTitle(window.b)];
  return (
    <section class="grid compare" tabIndex={0} aria-label="Comparison">
      <table>
        <thead>
          <tr>
            <th scope="col" class="kind">
              Type
            </th>
            <th scope="col" class="name">
              Name
            </th>
            <th scope="col" class="num" title={`Requests: ${before}, ${after}`}>
              # Req
            </th>
            {PERCENTILES.map(({ name }) => (
              <th scope="col" class="num change-head" key={name} title={`${before} → ${after}`}>
                {name} <small>ms</small>
              </th>
            ))}
            <th scope="col" class="num">
              Fails
            </th>
            <th scope="col" class="num">
              req/s
            </th>
          </tr>
        </thead>
        <tbody>
          {names.map(([id, kind, method, name]) => (
            <tr key={id} class={kind === "total" ? "total" : undefined}>
              <td class="kind">{kind === "http" ? method : kind === "total" ? "" : kind}</td>
              <th scope="row" class="name">
                {kind === "total" ? "Aggregated" : name}
              </th>
              <td class="num">
                {integer(a.get(id)?.[COL.requests] ?? 0)} <Arrow />{" "}
                {integer(b.get(id)?.[COL.requests] ?? 0)}
              </td>
              {PERCENTILES.map((percentile) => (
                <Change
                  key={percentile.name}
                  a={side(a.get(id), percentile, both.a.intervals, id)}
                  b={side(b.get(id), percentile, both.b.intervals, id)}
                />
              ))}
              <Failures a={a.get(id)} b={b.get(id)} />
              <td class="num">
                {rate(a.get(id)?.[COL.rps] ?? 0)} <Arrow /> {rate(b.get(id)?.[COL.rps] ?? 0)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="compare-note">
        {before} → {after}. A change has a colour only where the 95 % intervals of the two
        percentiles do not overlap (p95 has one from 73 requests on, p99 from 381); they assume that
        requests are independent of each other.
      </p>
    </section>
  );
}

function Arrow() {
  return <i class="arrow">→</i>;
}

function rank(kind: string): number {
  if (kind === "total") return 0;
  return kind === "group" ? 2 : 1;
}

function rowsById(rows: Row[]): Map<number, Row> {
  return new Map(rows.map((row) => [row[COL.id]!, row]));
}

interface Value {
  us: number;
  /** None of too few requests. */
  interval: [number, number] | null;
}

function side(
  row: Row | undefined,
  { q, column, at }: (typeof PERCENTILES)[number],
  intervals: Intervals,
  id: number,
): Value | null {
  if (!row || row[COL.requests] === 0) return null;
  const own = hasInterval(row[COL.requests]!, q) ? intervals[id] : undefined;
  return { us: row[column] ?? 0, interval: own ? [own[at]!, own[at + 1]!] : null };
}

function Change({ a, b }: { a: Value | null; b: Value | null }) {
  if (!a || !b) {
    return (
      <td class="num change">
        <span class="pair">
          {a ? ms(a.us) : "–"} <Arrow /> {b ? ms(b.us) : "–"}
        </span>
        <span class="delta none">{a ? "gone" : b ? "new" : ""}</span>
      </td>
    );
  }
  const apart =
    a.interval !== null &&
    b.interval !== null &&
    (a.interval[1] < b.interval[0] || b.interval[1] < a.interval[0]);
  const percent = a.us === 0 ? 0 : (b.us / a.us - 1) * 100;
  const tone = apart ? (percent > 0 ? "worse" : "better") : "none";
  const limits = (value: Value) =>
    value.interval ? `${ms(value.interval[0])} to ${ms(value.interval[1])} ms` : "no interval";
  return (
    <td class="num change" title={`95 %: ${limits(a)}, then ${limits(b)}`}>
      <span class="pair">
        {ms(a.us)} <Arrow /> {ms(b.us)}
      </span>
      <span class={`delta ${tone}`}>{signed(percent)}</span>
    </td>
  );
}

function signed(percent: number): string {
  const size = Math.abs(percent);
  if (size < 0.5) return "±0 %";
  const text = size >= 1000 ? `×${(percent / 100 + 1).toFixed(0)}` : `${size.toFixed(0)} %`;
  if (size >= 1000) return text;
  return `${percent > 0 ? "+" : "−"}${text}`;
}

/** The 95 % interval of a share (Wilson's), which also holds for few requests and none failed. */
function wilson(failures: number, requests: number): [number, number] {
  if (requests === 0) return [0, 1];
  const z = 1.96;
  const p = failures / requests;
  const middle = p + (z * z) / (2 * requests);
  const half = z * Math.sqrt((p * (1 - p)) / requests + (z * z) / (4 * requests * requests));
  const scale = 1 + (z * z) / requests;
  return [(middle - half) / scale, (middle + half) / scale];
}

function Failures({ a, b }: { a: Row | undefined; b: Row | undefined }) {
  const counts = (row: Row | undefined): [number, number] => [
    row?.[COL.failures] ?? 0,
    row?.[COL.requests] ?? 0,
  ];
  const [before, after] = [wilson(...counts(a)), wilson(...counts(b))];
  const tone = after[0] > before[1] ? " bad" : "";
  return (
    <td class={`num${tone}`}>
      {share(...counts(a))} <Arrow /> {share(...counts(b))}
    </td>
  );
}
