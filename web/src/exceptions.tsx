/** What the script threw. */

import { integer, shortPath } from "./format.ts";
import { showPlace } from "./script/place.ts";
import { Scroll } from "./scroll.tsx";
import type { Run } from "./store/run.ts";

export function Exceptions({ run }: { run: Run }) {
  const rows = [...run.exceptions].sort((a, b) => b.count - a.count);
  if (rows.length === 0) return <p class="empty">no exception so far</p>;
  return (
    <Scroll label="Table of exceptions">
      <table class="plain wide stacking">
        <thead>
          <tr>
            <th scope="col" class="num">
              Count
            </th>
            <th scope="col">Message</th>
            <th scope="col">Where</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.location} ${row.message}`}>
              <td class="num bad">{integer(row.count)}</td>
              <td class="break message">
                <div class="long">{row.message}</div>
                {row.stack && (
                  <details>
                    <summary>call stack</summary>
                    <pre>{row.stack}</pre>
                  </details>
                )}
              </td>
              <td>
                <button
                  type="button"
                  class="link"
                  title={row.location}
                  onClick={() => showPlace(row.location)}
                >
                  <code>{shortPath(row.location)}</code>
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
