/** Checks of the script, and its own counters and metrics. */

import { Bar } from "./bar.tsx";
import { figures, integer, rate, share } from "./format.ts";
import { Scroll } from "./scroll.tsx";
import type { Run } from "./store/run.ts";

export function Checks({ run }: { run: Run }) {
  const { checks, counters, metrics } = run;
  if (checks.length + counters.length + metrics.length === 0) {
    return <p class="empty">the script has no checks, counters or metrics</p>;
  }
  return (
    <Scroll label="Tables of checks" class="stack">
      {checks.length > 0 && <CheckTable run={run} />}
      {counters.length > 0 && (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">Counter</th>
              <th scope="col" class="num">
                Total
              </th>
              <th scope="col" class="num">
                per second
              </th>
            </tr>
          </thead>
          <tbody>
            {counters.map((row) => (
              <tr key={row.name}>
                <th scope="row">{row.name}</th>
                <td class="num">{integer(row.total)}</td>
                <td class="num">{rate(row.per_s)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {metrics.length > 0 && (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">Metric</th>
              {["Count", "p50", "p95", "p99", "Avg", "Min", "Max"].map((head) => (
                <th scope="col" class="num" key={head}>
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {metrics.map((row) => (
              <tr key={row.name}>
                <th scope="row">{row.name}</th>
                <td class="num">{integer(row.count)}</td>
                {[row.p50, row.p95, row.p99, row.avg, row.min, row.max].map((value, at) => (
                  <td class="num" key={at}>
                    {figures(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Scroll>
  );
}

function CheckTable({ run }: { run: Run }) {
  return (
    <table class="plain">
      <thead>
        <tr>
          <th scope="col">Check</th>
          <th scope="col" class="num">
            Passed
          </th>
          <th scope="col" class="num">
            Failed
          </th>
          <th scope="col" class="share">
            Share that passed
          </th>
        </tr>
      </thead>
      <tbody>
        {run.checks.map((row) => (
          <tr key={row.name}>
            <th scope="row">{row.name}</th>
            <td class="num">{integer(row.passes)}</td>
            <td class={row.fails > 0 ? "num bad" : "num zero"}>{integer(row.fails)}</td>
            <td class="share">
              <Bar share={row.passes / (row.passes + row.fails)} />
              {share(row.passes, row.passes + row.fails)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
