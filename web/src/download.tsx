/** Files of the run. */

import { useState } from "preact/hooks";
import { isDark } from "./charts/palette.ts";
import { Icon } from "./icons.tsx";
import type { Run } from "./store/run.ts";
import { colours, theme } from "./store/signals.ts";

export function Download({ run }: { run: Run }) {
  const [withScript, setWithScript] = useState(false);
  void colours.value;
  const look = theme.value === "auto" ? (isDark() ? "dark" : "light") : theme.value;
  const report = `api/v1/report?run=${run.run}&script=${withScript ? 1 : 0}&theme=${look}`;
  const which = `?run=${run.run}`;
  return (
    <div class="scroll downloads">
      <section class="card">
        <h2>Report</h2>
        <p>
          One HTML file with these charts and tables. It works without a server, brushing included.
        </p>
        <label>
          <input
            type="checkbox"
            checked={withScript}
            onChange={(event) => setWithScript(event.currentTarget.checked)}
          />
          With the script
        </label>
        <p class="buttons">
          <a class="button primary" href={report} target="_blank" rel="noreferrer">
            Open
          </a>{" "}
          <a class="button" href={report} download={`katydid-run-${run.run}.html`}>
            <Icon name="download" /> Save
          </a>
        </p>
      </section>
      <section class="card">
        <h2>Data</h2>
        <ul class="files">
          <File href={`stats/requests/csv${which}`} name="Requests" kind="CSV" />
          <File href={`stats/failures/csv${which}`} name="Failures" kind="CSV" />
          <File href={`exceptions/csv${which}`} name="Exceptions" kind="CSV" />
          <File
            href={`stats/requests_full_history/csv${which}`}
            name="Full history, a row for each second"
            kind="CSV"
          />
          <File href={`api/v1/runs/${run.run}`} name="Summary, as --json writes it" kind="JSON" />
        </ul>
        <p class="muted">All of them are over the whole run.</p>
      </section>
    </div>
  );
}

function File({ href, name, kind }: { href: string; name: string; kind: string }) {
  return (
    <li>
      <a href={href} download>
        <Icon name="download" /> {name} <small>{kind}</small>
      </a>
    </li>
  );
}
