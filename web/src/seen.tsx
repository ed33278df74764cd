/** When something was seen first and last, in the reader's own zone. */

import { localTime, moment, zone } from "./format.ts";
import type { Run } from "./store/run.ts";

/** Times of a run count from its epoch, which makes them wall-clock times. */
export function wallTime(run: Run, us: number): number {
  return (run.head?.epoch_us ?? 0) + us;
}

export function SeenHeads({ run }: { run: Run }) {
  return (
    <>
      <th scope="col">First seen</th>
      <th scope="col">
        Last seen <small>{zone(run.now_us)}</small>
      </th>
    </>
  );
}

export function SeenCells({ run, row }: { run: Run; row: { first_us: number; last_us: number } }) {
  return (
    <>
      {[row.first_us, row.last_us].map((us, nth) => (
        <td class="seen" key={nth === 0 ? "first" : "last"} title={moment(wallTime(run, us))}>
          {localTime(wallTime(run, us))}
        </td>
      ))}
    </>
  );
}
