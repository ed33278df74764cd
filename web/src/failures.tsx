/** What failed, how often, when. */

import { Bar } from "./bar.tsx";
import { integer, localTime, moment, share, zone } from "./format.ts";
import { Scroll } from "./scroll.tsx";
import type { Run } from "./store/run.ts";

export function Failures({ run }: { run: Run }) {
  const requests = run.rows.get(0)?.[1] ?? 0;
  const rows = [...run.errors].sort((a, b) => b.count - a.count);
  const total = rows.reduce((sum, row) => sum + row.count, 0);
  if (rows.length === 0) {
    return <p class="empty">no failure so far: {integer(requests)} requests</p>;
  }
  // Times of an error are moments of the run; its epoch makes them wall-clock times.
  const epoch = run.head?.epoch_us ?? 0;
  const at = (us: number) => (us > 1e15 ? us : epoch + us);
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
            <th scope="col">First seen</th>
            <th scope="col">
              Last seen <small>{zone(run.now_us)}</small>
            </th>
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
              <td class="seen" title={moment(at(row.first_us))}>
                {localTime(at(row.first_us))}
              </td>
              <td class="seen" title={moment(at(row.last_us))}>
                {localTime(at(row.last_us))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
