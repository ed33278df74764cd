/** The dialogs: keys, note, stop, editing a run, columns. */

import { useState } from "preact/hooks";
import { Dialog } from "./dialog.tsx";
import { clock } from "./format.ts";
import { order, stop } from "./header/steer.tsx";
import { KEYS } from "./keys.ts";
import { ParamFields, type ParamValues } from "./start/params.tsx";
import type { Run } from "./store/run.ts";
import { dialog } from "./store/signals.ts";
import { COLUMNS, setVisible, visible } from "./table/columns.ts";

const close = () => {
  dialog.value = null;
};

export function Dialogs({ run }: { run: Run }) {
  switch (dialog.value) {
    case "keys":
      return <Keys />;
    case "note":
      return <Note />;
    case "stop":
      return <Stop run={run} />;
    case "parameters":
      return <Edit run={run} />;
    case "columns":
      return <Columns />;
    default:
      return null;
  }
}

function Keys() {
  return (
    <Dialog title="Keys" onClose={close}>
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

function Note() {
  const [text, setText] = useState("");
  return (
    <Dialog title="Note on the charts" onClose={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void order("POST", "run/note", { text: text.trim() }).then((isDone) => isDone && close());
        }}
      >
        <label class="field">
          What happened now
          <input
            maxLength={200}
            value={text}
            placeholder="cache switched on"
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <p class="dialog-foot">
          <button type="submit" class="primary" disabled={text.trim() === ""}>
            Add note
          </button>
        </p>
      </form>
    </Dialog>
  );
}

function Stop({ run }: { run: Run }) {
  return (
    <Dialog title={`Stop after ${clock(run.t)}?`} onClose={close}>
      <p>Users finish what they are at; everything measured stays.</p>
      <p class="dialog-foot">
        <button type="button" onClick={close}>
          Go on
        </button>
        <button
          type="button"
          class="stop"
          onClick={() => {
            close();
            stop(run, true);
          }}
        >
          Stop
        </button>
      </p>
    </Dialog>
  );
}

/** Host, run time and parameters of the run: a change makes a new generation. */
function Edit({ run }: { run: Run }) {
  const [host, setHost] = useState(run.head?.host ?? "");
  const [runTime, setRunTime] = useState("");
  const [params, setParams] = useState<ParamValues>({});
  const submit = (event: Event) => {
    event.preventDefault();
    const change: Record<string, unknown> = { run: run.run };
    if (host !== (run.head?.host ?? "")) change.host = host;
    if (runTime.trim() !== "") change.run_time = runTime.trim();
    if (Object.keys(params).length > 0) change.params = params;
    if (Object.keys(change).length === 1) return close();
    void order("PATCH", "run", change, "changed").then((isDone) => isDone && close());
  };
  return (
    <Dialog title="Edit the run" onClose={close}>
      <form class="fields" onSubmit={submit}>
        <label class="field">
          Host
          <input value={host} onInput={(event) => setHost(event.currentTarget.value)} />
        </label>
        <label class="field">
          Run time, from the start
          <input
            value={runTime}
            placeholder={run.ends_s ? clock(run.ends_s) : "until stopped"}
            onInput={(event) => setRunTime(event.currentTarget.value)}
          />
        </label>
        <ParamFields
          params={run.form.params}
          values={params}
          onChange={(name, value) => setParams({ ...params, [name]: value })}
        />
        <p class="dialog-foot">
          <span class="muted">Host and parameters make a new generation of the script.</span>
          <button type="submit" class="primary">
            Apply
          </button>
        </p>
      </form>
    </Dialog>
  );
}

function Columns() {
  const chosen = visible.value;
  const set = (key: string, isOn: boolean) => {
    const keys = COLUMNS.map((column) => column.key);
    const next = keys.filter((one) => (one === key ? isOn : chosen.includes(one)));
    if (next.length > 0) setVisible(next);
  };
  return (
    <Dialog title="Columns" onClose={close}>
      <div class="columns-choice">
        {COLUMNS.map((column) => (
          <label key={column.key} title={column.title}>
            <input
              type="checkbox"
              checked={chosen.includes(column.key)}
              onChange={(event) => set(column.key, event.currentTarget.checked)}
            />
            {column.head} {column.unit && <small>{column.unit}</small>}
          </label>
        ))}
      </div>
      <p class="dialog-foot">
        <button type="button" onClick={() => setVisible(null)}>
          The usual ones
        </button>
      </p>
    </Dialog>
  );
}
