/**
 * Bars that say what is wrong and what goes on in spite of it. They stand at the bottom, where what
 * scrolls makes room for them: nothing moves under the reader's eyes when one comes or goes.
 */

import { useEffect, useState } from "preact/hooks";
import { FindingView } from "./finding.tsx";
import { integer, localTime, plural } from "./format.ts";
import { Icon } from "./icons.tsx";
import { begin } from "./store/live.ts";
import { go, route } from "./store/route.ts";
import type { Run } from "./store/run.ts";
import { connection, current, isActive, toast } from "./store/signals.ts";
import { isLost, label, missing } from "./store/workers.ts";

export function Banners({ run }: { run?: Run }) {
  return (
    <section class="banners" id="messages" tabIndex={-1} aria-label="Messages">
      <ConnectionBar />
      {run && run.run !== current.value?.run && run.run !== null && <PastBar run={run} />}
      {run && <ScriptBar run={run} />}
      {run && isActive(run.state) && <WaitBar run={run} />}
      {run && isActive(run.state) && <TargetBar run={run} />}
      {run && <LostWorkers run={run} />}
      {run && !isActive(run.state) && run.warnings.length > 0 && <Caveats run={run} />}
      {run?.state === "failed" && (
        <p class="bar error" role="alert">
          The run could not go on: {run.head?.why}
        </p>
      )}
    </section>
  );
}

/** Puts a message away: until it says something else, or has been over and comes again. */
function useDismissal(what: string | null): { isAway: boolean; dismiss: () => void } {
  const [away, setAway] = useState<string | null>(null);
  useEffect(() => {
    if (what === null) setAway(null);
  }, [what]);
  return { isAway: what !== null && away === what, dismiss: () => setAway(what) };
}

function Dismiss({ onClick }: { onClick: () => void }) {
  return (
    <button
      type="button"
      class="icon dismiss"
      title="Dismiss"
      onClick={() => {
        onClick();
        // The button is gone now, and the focus would be nowhere.
        document.getElementById("main")?.focus();
      }}
    >
      <Icon name="close" label="Dismiss" />
    </button>
  );
}

function ConnectionBar() {
  const link = connection.value;
  const known = current.value;
  const isOver = link.kind === "restarted" || link.kind === "ended";
  const { isAway, dismiss } = useDismissal(isOver ? link.kind : null);
  if (isAway) return null;
  if (link.kind === "lost") return <LostBar since={link.since} nextAt={link.nextAt} />;
  if (link.kind === "restarted") {
    return (
      <p class="bar" role="alert">
        Katydid was restarted. Shown is what was known of the process before.
        <button
          type="button"
          onClick={() => {
            current.value = null;
            go({ run: null, window: { kind: "whole" }, chosen: [] });
            void begin();
          }}
        >
          Show the new one
        </button>
        <Dismiss onClick={dismiss} />
      </p>
    );
  }
  if (link.kind === "ended") {
    return (
      <p class="bar" role="status">
        {link.text}. The page keeps what it has
        {known && <>, as of {localTime(known.now_us)}</>}.
        <Dismiss onClick={dismiss} />
      </p>
    );
  }
  return null;
}

function LostBar({ since, nextAt }: { since: number; nextAt: number }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, []);
  const wait = Math.max(0, Math.ceil((nextAt - now) / 1000));
  return (
    <p class="bar" role="status">
      No answer since {localTime(since * 1000)}; shown is what was known; the load may go on.
      <span class="muted">{wait > 0 ? `next try in ${wait} s` : "trying"}</span>
      <button type="button" onClick={() => void begin()}>
        Try now
      </button>
    </p>
  );
}

function PastBar({ run }: { run: Run }) {
  return (
    <p class="bar">
      Run {run.run}
      {run.head?.label && ` “${run.head.label}”`}
      {run.head?.epoch_us != null && `, began ${localTime(run.head.epoch_us)}`}
      <button
        type="button"
        onClick={() => go({ run: null, window: { kind: "whole" }, chosen: [] })}
      >
        Back to the current run
      </button>
    </p>
  );
}

/** How long "mended" stays. */
const MENDED_MS = 6000;

function ScriptBar({ run }: { run: Run }) {
  const [wasBroken, setWasBroken] = useState(false);
  const isOk = run.script.is_ok;
  useEffect(() => {
    if (!isOk) setWasBroken(true);
    else if (wasBroken) {
      const timer = setTimeout(() => setWasBroken(false), MENDED_MS);
      return () => clearTimeout(timer);
    }
  }, [isOk, wasBroken]);
  const generation = run.generations[run.generations.length - 1]?.n ?? 1;
  const errors = run.script.findings.filter((finding) => finding.severity === "error");
  const first = errors[0] ?? run.script.findings[0];
  const { isAway, dismiss } = useDismissal(isOk ? null : JSON.stringify(first ?? ""));
  if (isAway) return null;
  if (isOk) {
    if (!wasBroken) return null;
    return (
      <p class="bar good" role="status">
        <Icon name="check" /> Mended: generation {generation} in service
      </p>
    );
  }
  const isScriptTab = route.value.tab === "script";
  const goesOn = isActive(run.state) ? ` Generation ${generation} goes on.` : "";
  return (
    <div class="bar warn script-bar" role="alert">
      <p>
        The edited script has {plural(Math.max(1, errors.length), "mistake")}.{goesOn}
        {!isScriptTab && (
          <button type="button" onClick={() => go({ tab: "script" })}>
            Show
          </button>
        )}
        <Dismiss onClick={dismiss} />
      </p>
      {first && !isScriptTab && <FindingView finding={first} />}
    </div>
  );
}

function WaitBar({ run }: { run: Run }) {
  const behind = run.users.behind;
  const newest = run.generations[run.generations.length - 1]?.n ?? 1;
  if (behind === 0 || newest < 2) return null;
  return (
    <p class="bar slim" role="status">
      Generation {newest} takes over: {plural(behind, "user")} still in an older one
    </p>
  );
}

const RECENT_S = 10;
const ALMOST_ALL = 0.99;

function isUnreachable(run: Run): boolean {
  const from = Math.max(0, run.t - RECENT_S);
  const sum = (column: number[]) => column.slice(from, run.t).reduce((a, b) => a + b, 0);
  const [requests, failures] = [sum(run.seconds.requests), sum(run.seconds.failures)];
  return requests >= 5 && failures / requests >= ALMOST_ALL;
}

/** Nothing but failures with one text: then it is said once, where it cannot be missed. */
function TargetBar({ run }: { run: Run }) {
  const most = isUnreachable(run) ? [...run.errors].sort((a, b) => b.count - a.count)[0] : null;
  const { isAway, dismiss } = useDismissal(most ? `${run.run} ${most.error}` : null);
  if (!most || isAway) return null;
  const host = run.head?.host ?? "";
  const isLoopback = /\/\/(localhost|127\.|\[::1\])/.test(host) && /connect/i.test(most.error);
  return (
    <p class="bar error" role="alert">
      Nothing but failures from {host}: {most.error} ({integer(most.count)})
      {isLoopback && (
        <span class="muted">
          in a container, that is the container itself: try http://host.docker.internal
        </span>
      )}
      <button type="button" onClick={() => go({ tab: "failures" })}>
        Show
      </button>
      <Dismiss onClick={dismiss} />
    </p>
  );
}

/** Workers that are gone are said where it cannot be missed: their numbers end there. */
function LostWorkers({ run }: { run: Run }) {
  const lost = run.workers.filter(isLost);
  const { isAway, dismiss } = useDismissal(
    lost.length > 0 ? `${run.run} ${lost.map(({ number }) => number)}` : null,
  );
  const [first] = lost;
  if (!first || isAway) return null;
  const others = lost.length - 1;
  return (
    <p class="bar error" role="alert">
      {label(first).replace("worker", "Worker")} is {first.state}
      {first.missing > 0 && <>; {missing(first)}</>}
      {others > 0 && ` (and ${plural(others, "other")})`}
      {route.value.tab !== "workers" && (
        <button type="button" onClick={() => go({ tab: "workers" })}>
          Show
        </button>
      )}
      <Dismiss onClick={dismiss} />
    </p>
  );
}

function Caveats({ run }: { run: Run }) {
  return (
    <details class="bar">
      <summary>{plural(run.warnings.length, "remark")} on these numbers</summary>
      <ul>
        {run.warnings.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </details>
  );
}

const TOAST_MS = 5000;

export function Toast() {
  const now = toast.value;
  useEffect(() => {
    if (!now) return;
    const timer = setTimeout(() => {
      if (toast.peek() === now) toast.value = null;
    }, TOAST_MS);
    return () => clearTimeout(timer);
  }, [now]);
  return (
    <div class="toasts" role={now?.isError ? "alert" : "status"}>
      {now && (
        <p class={now.isError ? "toast error" : "toast"}>
          {now.text}
          <button type="button" class="icon" onClick={() => (toast.value = null)}>
            <Icon name="close" label="Dismiss" />
          </button>
        </p>
      )}
    </div>
  );
}
