/** The last line: how fresh the numbers are, and counts that have no place of their own. */

import { integer, localTime, zone } from "./format.ts";
import type { Run } from "./store/run.ts";
import { connection, isActive } from "./store/signals.ts";
import { source } from "./store/source.ts";

export function StatusLine({ run }: { run: Run }) {
  const { iterations, seconds } = run;
  const live = isActive(run.state);
  const longest = (run.series.get(0) ?? []).reduce((most, one) => Math.max(most, one.len), 1);
  const inFlight = seconds.in_flight[run.t - 1] ?? 0;
  const parts = [
    freshness(live),
    `${localTime(run.now_us)} ${zone(run.now_us)}`,
    `${longest}-s slots`,
    `iterations ${integer(iterations.finished)}`,
    `missed ${integer(iterations.missed)}`,
  ];
  if (iterations.dropped > 0) parts.push(`dropped ${integer(iterations.dropped)}`);
  parts.push(
    live ? `in flight ${integer(inFlight)}` : `in flight at stop ${integer(run.in_flight)}`,
  );
  if (run.head) parts.push(`seed ${run.head.seed}`);
  return (
    <footer class="statusline">
      {parts.map((part) => (
        <span key={part.replace(/[\d,.:]+/g, "")}>{part}</span>
      ))}
    </footer>
  );
}

function freshness(live: boolean): string {
  if (!source().isLive) return "report";
  if (connection.value.kind !== "live") return "not live";
  return live ? "live" : "finished";
}
