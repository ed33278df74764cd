/** Which part of the run the figures and the table are about; and search, latency, columns. */

import { signal } from "@preact/signals";
import { Icon } from "./icons.tsx";
import { showFocused } from "./scroll.tsx";
import { go, route, type Window } from "./store/route.ts";
import type { Run } from "./store/run.ts";
import { dialog, isActive, isZoomed, latency, search } from "./store/signals.ts";
import { title } from "./store/view.ts";

/** A window that waits for a second one to be compared with. */
export const pinned = signal<{ from: number; to: number } | null>(null);

/** Whether response and service times differ anywhere, so that a switch means something. */
function hasService(run: Run): boolean {
  return (run.series.get(0) ?? []).some((stretch) => stretch.differs);
}

function Choice({ window, children }: { window: Window; children: string }) {
  const isChosen = route.value.window.kind === window.kind;
  return (
    <button type="button" aria-pressed={isChosen} onClick={() => go({ window })}>
      {children}
    </button>
  );
}

export function WindowBar({ run }: { run: Run }) {
  const { window } = route.value;
  const isTable = route.value.tab === "statistics";
  return (
    <section class="windowbar" aria-label="Window and search" onFocusIn={showFocused}>
      <div class="segments" role="group" aria-label="Window">
        <Choice window={{ kind: "whole" }}>Whole run</Choice>
        {run.since_us > 0 && <Choice window={{ kind: "reset" }}>Since reset</Choice>}
        {isActive(run.state) && <Choice window={{ kind: "last" }}>Last 60 s</Choice>}
      </div>
      <RangeChip run={run} />
      <Generations run={run} />
      {window.kind === "compare" && !isNewestPair(run) && (
        <span class="chip on">
          {title(window)}
          <ClearButton />
        </span>
      )}
      <span class="spring" />
      <SlotNote run={run} />
      {hasService(run) && <LatencySwitch />}
      {isTable && (
        <>
          <label class="search">
            <Icon name="search" label="Search names" />
            <input
              id="search"
              type="search"
              placeholder="Search"
              value={search.value}
              onInput={(event) => (search.value = event.currentTarget.value)}
            />
          </label>
          <button
            type="button"
            class="icon"
            title="Columns"
            onClick={() => (dialog.value = "columns")}
          >
            <Icon name="columns" label="Columns" />
          </button>
        </>
      )}
    </section>
  );
}

function ClearButton() {
  return (
    <button type="button" title="Back to the whole run (Esc)" onClick={clearWindow}>
      <Icon name="close" label="Clear the window" />
    </button>
  );
}

export function clearWindow(): void {
  pinned.value = null;
  isZoomed.value = false;
  go({ window: { kind: "whole" } });
}

/** The brushed window, and comparing it with another one. */
function RangeChip({ run }: { run: Run }) {
  const { window } = route.value;
  const first = pinned.value;
  if (window.kind !== "range") {
    return first ? <span class="chip">brush a second window on a chart</span> : null;
  }
  const side = (part: { from: number; to: number }) => `${run.run}@${part.from}-${part.to}`;
  const isSame = first && first.from === window.from && first.to === window.to;
  return (
    <>
      <span class="chip on">
        {title(window)}
        <ClearButton />
      </span>
      <button
        type="button"
        class="quiet"
        aria-pressed={isZoomed.value}
        title="Charts show only this window"
        onClick={() => (isZoomed.value = !isZoomed.value)}
      >
        {isZoomed.value ? "Zoom out" : "Zoom in"}
      </button>
      {!first && (
        <button type="button" class="quiet" onClick={() => (pinned.value = { ...window })}>
          Compare with…
        </button>
      )}
      {first && isSame && <span class="muted">brush the second window</span>}
      {first && !isSame && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            go({ window: { kind: "compare", a: side(first), b: side(window) } });
            pinned.value = null;
          }}
        >
          Compare with {title({ kind: "range", ...first })}
        </button>
      )}
    </>
  );
}

/** The sides of a comparison of the newest generation with the one before. */
function newestPair(run: Run): [a: string, b: string] | null {
  const [before, newest] = run.by_generation.slice(-2);
  if (!before || !newest) return null;
  return [`${run.run}/gen:${before.last}`, `${run.run}/gen:${newest.last}`];
}

function isNewestPair(run: Run): boolean {
  const { window } = route.value;
  const pair = newestPair(run);
  return pair !== null && window.kind === "compare" && window.a === pair[0] && window.b === pair[1];
}

function Generations({ run }: { run: Run }) {
  const { window } = route.value;
  const pair = newestPair(run);
  const [before, newest] = run.by_generation.slice(-2);
  if (!pair || !before || !newest) return null;
  const [a, b] = pair;
  return (
    <div class="segments" role="group" aria-label="Versions of the script">
      {[before, newest].map((part) => (
        <button
          type="button"
          key={part.last}
          aria-pressed={window.kind === "generation" && window.n === part.last}
          title={`Requests that generation ${part.last} of the script sent`}
          onClick={() => go({ window: { kind: "generation", n: part.last } })}
        >
          g{part.last}
        </button>
      ))}
      <button
        type="button"
        aria-pressed={isNewestPair(run)}
        onClick={() => go({ window: { kind: "compare", a, b } })}
      >
        Compare g{before.last} ↔ g{newest.last}
      </button>
    </div>
  );
}

function SlotNote({ run }: { run: Run }) {
  const series = run.series.get(0) ?? [];
  const longest = series.reduce((most, stretch) => Math.max(most, stretch.len), 1);
  if (longest === 1) return null;
  return <span class="muted">slots of up to {longest} s</span>;
}

function LatencySwitch() {
  const set = (next: "response" | "service") => () => (latency.value = next);
  return (
    <div class="segments" role="group" aria-label="Which time">
      <button
        type="button"
        aria-pressed={latency.value === "response"}
        title="From the intended start of a request: lateness counts"
        onClick={set("response")}
      >
        Response
      </button>
      <button
        type="button"
        aria-pressed={latency.value === "service"}
        title="From the actual start of a request"
        onClick={set("service")}
      >
        Service
      </button>
    </div>
  );
}
