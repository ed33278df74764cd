/** What the script threw: how often, where, through which functions, when. */

import { integer, plural, shortPath } from "./format.ts";
import { showPlace } from "./script/place.ts";
import { Scroll } from "./scroll.tsx";
import { SeenCells, SeenHeads } from "./seen.tsx";
import { Sparkline } from "./sparkline.tsx";
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
            <th scope="col">When</th>
            <SeenHeads run={run} />
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.location} ${row.message}`}>
              <td class="num bad">{integer(row.count)}</td>
              <td class="break message">
                <div class="long">{row.message}</div>
                <CallStack frames={row.stack} />
              </td>
              <td class="break path">
                <PlaceLink place={row.location} />
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

/** Shows the place in the script; folders are in its title. */
function PlaceLink({ place }: { place: string }) {
  return (
    <button type="button" class="link place" title={place} onClick={() => showPlace(place)}>
      <code>{shortPath(place)}</code>
    </button>
  );
}

/** The functions that the first one happened in, folded away; each says where in it. */
function CallStack({ frames }: { frames: string[] }) {
  if (frames.length === 0) return null;
  return (
    <details class="call-stack">
      <summary>call stack, {plural(frames.length, "function")}</summary>
      <ol>
        {frames.map((frame, depth) => (
          <li key={depth}>
            <Frame text={frame} />
          </li>
        ))}
      </ol>
    </details>
  );
}

/** `price (lib/shop.rhai:12:5)` with the place as a link, if it names a line. */
function Frame({ text }: { text: string }) {
  const parts = /^(.*) \(([^()]+:\d+)\)$/.exec(text);
  if (!parts) return <>{text}</>;
  return (
    <>
      {parts[1]} <PlaceLink place={parts[2]!} />
    </>
  );
}
