/** The table on a phone: a card for each name. */

import { COL } from "../api.ts";
import { integer, ms, rate } from "../format.ts";
import { MOST_CHOSEN, route } from "../store/route.ts";
import { latency, search } from "../store/signals.ts";
import { toggleChosen, type View } from "../store/view.ts";
import { type Entry, ordered } from "./order.ts";

/** Cards are taller than rows, and a phone is not where 5,000 names are read. */
const MOST = 200;

export function Cards({ view }: { view: View }) {
  const { requests, groups } = ordered(view, search.value, latency.value);
  const entries = [...requests, ...groups];
  const total = view.rows.get(0);
  return (
    <ul class="cards">
      {total && <Card entry={{ row: total, name: [0, "total", "", "Aggregated"] }} />}
      {entries.slice(0, MOST).map((entry) => (
        <Card key={entry.name[0]} entry={entry} />
      ))}
      {entries.length > MOST && (
        <li class="empty">{integer(entries.length - MOST)} more: search for them</li>
      )}
    </ul>
  );
}

function Card({ entry: { row, name } }: { entry: Entry }) {
  const id = name[0];
  const isService = latency.value === "service";
  const failures = row[COL.failures] ?? 0;
  return (
    <li class={route.value.chosen.includes(id) ? "chosen" : undefined}>
      <button
        type="button"
        disabled={id === 0}
        aria-pressed={route.value.chosen.includes(id)}
        onClick={() => toggleChosen(id, MOST_CHOSEN)}
      >
        <span class="card-name">
          <small>{name[1] === "http" ? name[2] : name[1] === "total" ? "" : name[1]}</small>{" "}
          {name[3]}
        </span>
        <span class="card-figures">
          <span>
            <b>{rate(row[COL.currentRps] ?? 0)}</b> req/s
          </span>
          <span class={failures > 0 ? "bad" : "muted"}>
            <b>{integer(failures)}</b> failed
          </span>
          <span>
            p95 <b>{ms(row[isService ? COL.serviceP95 : COL.p95] ?? 0)}</b> ms
          </span>
        </span>
      </button>
    </li>
  );
}
