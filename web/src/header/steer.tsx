/** Steering a run: users, note, pause, reset, stop. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../icons.tsx";
import type { Run } from "../store/run.ts";
import { dialog, info, isActive, isFormOpen, say } from "../store/signals.ts";
import { Refused, source } from "../store/source.ts";

/** Runs shorter than this are stopped without asking. */
const ASK_FROM_S = 600;

/** Tells the server, and says what came of it. */
export async function order(
  method: "POST" | "PATCH",
  path: string,
  body?: unknown,
  done?: string,
): Promise<boolean> {
  try {
    await source().send(method, path, body);
    if (done) say(done);
    return true;
  } catch (error) {
    const hint = error instanceof Refused && error.problem.hint ? ` ${error.problem.hint}` : "";
    say(`${error instanceof Error ? error.message : String(error)}${hint}`, true);
    return false;
  }
}

export function stop(run: Run, isSure = false): void {
  if (run.state !== "stopping" && run.t >= ASK_FROM_S && !isSure) {
    dialog.value = "stop";
    return;
  }
  void order("POST", "run/stop", { now: run.state === "stopping" });
}

export function Steer({ run }: { run: Run }) {
  if (info.value?.is_read_only) return <span class="muted">read only</span>;
  if (!isActive(run.state)) {
    return (
      <div class="steer">
        <a class="button" href={`api/v1/report?run=${run.run}`} target="_blank" rel="noreferrer">
          Report
        </a>
        <button type="button" class="primary" onClick={() => (isFormOpen.value = true)}>
          New run
        </button>
      </div>
    );
  }
  const isStopping = run.state === "stopping";
  const isPaused = run.state === "paused";
  return (
    <div class="steer">
      {!isStopping && <UsersField run={run} />}
      {!isStopping && (
        <>
          <button type="button" class="quiet" onClick={() => (dialog.value = "parameters")}>
            Edit
          </button>
          <button type="button" class="quiet" onClick={() => (dialog.value = "note")}>
            Note
          </button>
          <button
            type="button"
            class="quiet"
            title="Starts the figures anew; the history stays"
            onClick={() => void order("POST", "run/reset", {}, "figures start anew from here")}
          >
            Reset
          </button>
          <button
            type="button"
            class="quiet"
            onClick={() => void order("POST", isPaused ? "run/resume" : "run/pause")}
          >
            {isPaused ? "Resume" : "Pause"}
          </button>
        </>
      )}
      <button type="button" class="stop" onClick={() => stop(run)}>
        <Icon name="stop" /> {isStopping ? "Stop now" : "Stop"}
      </button>
    </div>
  );
}

/** Users, changed in place: Enter sends, Esc and leaving the field take it back. */
function UsersField({ run }: { run: Run }) {
  const [draft, setDraft] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => setDraft(null), [run.users.asked]);
  const count = Number(draft);
  const isValid = draft === null || (/^\d+$/.test(draft) && count <= 10_000_000);
  return (
    <form
      class="users-field"
      title={run.is_shape ? "A shape decides the users of this run" : "Users (e), Enter sends"}
      onSubmit={(event) => {
        event.preventDefault();
        if (draft === null || !isValid) return;
        void order("PATCH", "run", { users: count, run: run.run }).then((isDone) => {
          if (isDone) input.current?.blur();
        });
      }}
    >
      <label>
        Users
        <input
          id="users-now"
          ref={input}
          inputMode="numeric"
          autocomplete="off"
          disabled={run.is_shape}
          aria-invalid={!isValid}
          value={draft ?? String(run.users.asked)}
          onInput={(event) => setDraft(event.currentTarget.value.trim())}
          onBlur={() => setDraft(null)}
          onKeyDown={(event) => event.key === "Escape" && input.current?.blur()}
        />
      </label>
    </form>
  );
}
