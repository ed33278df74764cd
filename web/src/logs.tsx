/** The log of the process. */

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { localTime } from "./format.ts";
import type { Run } from "./store/run.ts";
import { label } from "./store/workers.ts";

const onlyWarnings = signal(false);
const follows = signal(true);
/** The worker whose lines are shown; null for all lines. */
const onlyOf = signal<number | null>(null);

export function Logs({ run }: { run: Run }) {
  const scroller = useRef<HTMLDivElement>(null);
  const chosen = run.workers.find(({ number }) => number === onlyOf.value);
  const own = chosen ? `${label(chosen)} ` : "";
  const lines = run.log.filter(
    (line) => (!onlyWarnings.value || line.level !== "info") && line.text.startsWith(own),
  );
  const last = lines[lines.length - 1]?.seq;
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element && follows.value) element.scrollTop = element.scrollHeight;
  }, [last, follows.value, onlyWarnings.value, own]);
  return (
    <>
      <p class="tab-tools">
        <label>
          <input
            type="checkbox"
            checked={onlyWarnings.value}
            onChange={(event) => (onlyWarnings.value = event.currentTarget.checked)}
          />
          Only warnings and errors
        </label>
        <label>
          <input
            type="checkbox"
            checked={follows.value}
            onChange={(event) => (follows.value = event.currentTarget.checked)}
          />
          Follow
        </label>
        {run.workers.length > 0 && (
          <label>
            Of
            <select
              value={chosen ? String(chosen.number) : ""}
              onChange={({ currentTarget: { value } }) =>
                (onlyOf.value = value === "" ? null : Number(value))
              }
            >
              <option value="">all</option>
              {run.workers.map((worker) => (
                <option key={worker.number} value={String(worker.number)}>
                  {label(worker)}
                </option>
              ))}
            </select>
          </label>
        )}
      </p>
      <div class="scroll logs" ref={scroller} tabIndex={0} role="log" aria-live="off">
        {lines.length === 0 && <p class="empty">nothing logged</p>}
        {lines.map((line) => (
          <p key={line.seq} class={line.level}>
            <time>{localTime(line.at_us)}</time> <b>{line.level.toUpperCase()}</b>{" "}
            <span>{line.text}</span>
          </p>
        ))}
      </div>
    </>
  );
}
