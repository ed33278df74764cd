/** What failed, how often, when. */

import { Bar } from "./bar.tsx";
import { integer, share } from "./format.ts";
import { Scroll } from "./scroll.tsx";
import { SeenCells, SeenHeads } from "./seen.tsx";
import { Sparkline } from "./sparkline.tsx";
import type { Run } from "./store/run.ts";

export function Failures({ run }: { run: Run }) {
  const requests = run.rows.get(0)?.[1] ?? 0;
  const rows = [...run.errors].sort((a, b) => b.count - a.count);
  const total = rows.reduce((sum, row) => sum + row.count, 0);
  if (rows.length === 0) {
    return <p class="empty">no failure so far: {integer(requests)} requests</p>;
  }
  return (
    <Scroll label="Table of failures">
      <table class="plain wide stacking">
        <thead>
          <tr>
            <th scope="col" class="num">
              Failures
            </th>
            <th scope="col" class="share">
              Share
            </th>
            <th scope="col">Method</th>
            <th scope="col">Name</th>
            <th scope="col">Message</th>
            <th scope="col">When</th>
            <SeenHeads run={run} />
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.method} ${row.name} ${row.error}`}>
              <td class="num bad">{integer(row.count)}</td>
              <td class="share">
                <Bar share={row.count / total} />
                {share(row.count, total)}
              </td>
              <td class="method">{row.method}</td>
              <td class="break path">{row.name}</td>
              <td class="break message">
                <div class="long">{row.error}</div>
              </td>
              <td class="when">
                <Sparkline run={run} trace={row.trace} />
              </td>
              <SeenCells run={run} row={row} />
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
