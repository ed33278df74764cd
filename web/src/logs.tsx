/** The log of the process. */

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { localTime } from "./format.ts";
import type { Run } from "./store/run.ts";

const onlyWarnings = signal(false);
const follows = signal(true);

export function Logs({ run }: { run: Run }) {
  const scroller = useRef<HTMLDivElement>(null);
  const lines = onlyWarnings.value ? run.log.filter((line) => line.level !== "info") : run.log;
  const last = lines[lines.length - 1]?.seq;
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element && follows.value) element.scrollTop = element.scrollHeight;
  }, [last, follows.value, onlyWarnings.value]);
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
