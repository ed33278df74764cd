/** The workers of a run over many machines: how each does, and what is missing of those that went. */

import { signal } from "@preact/signals";
import type { Worker } from "./api.ts";
import { bytes, clock, figures, integer } from "./format.ts";
import { Scroll } from "./scroll.tsx";
import type { Run } from "./store/run.ts";
import { inOrder, isLost, label, missing, past, troubles } from "./store/workers.ts";

/** More rows than this would keep the browser busy every second; the worst come first. */
const MOST_ROWS = 200;

const showsAll = signal(false);

const HEADS = [
  ["Users"],
  ["CPU", "of what its load threads can use; the most of the run below"],
  ["Memory", "of the process; the most of the run below"],
  ["Lag ms", "how late its load threads act: p99 and most of the last second"],
  ["Samples", "requests and groups of it that are in the figures"],
  ["Missing", "at most so many that it made are in no figure"],
  ["Clock ms", "its time of day against the master's; the run's times do not hang on it"],
  ["Trip ms", "round trip: a message to it and back, at the quickest of the last ones"],
] as const;

export function Workers({ run }: { run: Run }) {
  const { workers } = run;
  if (workers.length === 0) return <p class="empty">all users run in this process</p>;
  const all = inOrder(workers);
  const rows = showsAll.value ? all : all.slice(0, MOST_ROWS);
  return (
    <Scroll label="Table of workers">
      <table class="plain wide stacking workers">
        <thead>
          <tr>
            <th scope="col">Worker</th>
            <th scope="col">State</th>
            {HEADS.map(([head, title]) => (
              <th scope="col" class="num" key={head} title={title}>
                {head}
              </th>
            ))}
            <th scope="col">From</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((worker) => (
            <WorkerRow key={worker.number} worker={worker} />
          ))}
        </tbody>
      </table>
      {rows.length < all.length && (
        <p class="compare-note">
          {integer(rows.length)} of {integer(all.length)} workers.{" "}
          <button type="button" onClick={() => (showsAll.value = true)}>
            Show all
          </button>
        </p>
      )}
    </Scroll>
  );
}

function WorkerRow({ worker }: { worker: Worker }) {
  const { now, most, state } = worker;
  const trouble = troubles(worker);
  const isHere = state === "ready" || state === "running";
  const tone = isLost(worker) ? "lost" : trouble.length > 0 ? "trouble" : "";
  return (
    <tr class={tone}>
      <th scope="row" class="path" title={label(worker)}>
        <span class="muted">{worker.number}</span> {worker.name || "–"}
        <small>{worker.threads === 1 ? "1 thread" : `${integer(worker.threads)} threads`}</small>
      </th>
      <td class="worker-state">
        <i class={`dot worker-${state}`} /> <b>{state}</b>
        <small>{trouble.join(", ") || past(worker)}</small>
      </td>
      <Figure head="users">{isHere ? integer(worker.users) : "–"}</Figure>
      <Figure head="CPU" isBad={isHere && worker.strained.now.includes("busy")}>
        {isHere ? `${integer(now.cpu * 100)} %` : "–"}
        <small>{integer(most.cpu * 100)} %</small>
      </Figure>
      <Figure head="memory">
        {isHere ? bytes(now.rss_bytes) : "–"}
        <small>{bytes(most.rss_bytes)}</small>
      </Figure>
      <Figure head="lag ms" isBad={isHere && worker.strained.now.includes("lagging")}>
        {isHere ? figures(now.lag_p99_ms) : "–"}
        <small>{isHere ? figures(now.lag_max_ms) : figures(most.lag_max_ms)}</small>
      </Figure>
      <Figure head="samples">{integer(worker.samples)}</Figure>
      <Figure
        head="missing"
        isBad={worker.missing > 0}
        title={worker.missing > 0 ? missing(worker) : undefined}
      >
        {worker.missing > 0 ? `≤ ${integer(worker.missing)}` : "0"}
      </Figure>
      <Figure head="clock ms">
        {worker.clock ? signed(worker.clock.offset_ms) : "–"}
        {worker.clock && <small>± {figures(worker.clock.error_ms)}</small>}
      </Figure>
      <Figure head="round trip ms">
        {worker.clock ? figures(worker.clock.round_trip_ms) : "–"}
        {!isHere && <small>heard {clock(worker.heard_s)}</small>}
      </Figure>
      <td class="worker-from">
        {worker.address ?? "–"}
        <small>{worker.version}</small>
      </td>
    </tr>
  );
}

function Figure(props: {
  head: string;
  isBad?: boolean;
  title?: string | undefined;
  children: preact.ComponentChildren;
}) {
  return (
    <td class={props.isBad ? "num bad" : "num"} data-head={props.head} title={props.title}>
      {props.children}
    </td>
  );
}

function signed(ms: number): string {
  return ms < 0 ? `−${figures(-ms)}` : `+${figures(ms)}`;
}
