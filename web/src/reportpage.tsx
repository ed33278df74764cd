/** The report: what the tabs show, on one page. */

import type { ComponentChildren } from "preact";
import { Toast } from "./banner.tsx";
import { Boundary } from "./boundary.tsx";
import { ChartTable } from "./charts/save.tsx";
import { ChartsTab } from "./charts/strip.tsx";
import { Checks } from "./checks.tsx";
import { CompareTable } from "./compare.tsx";
import { Dialogs } from "./dialogs.tsx";
import { Exceptions } from "./exceptions.tsx";
import { Failures } from "./failures.tsx";
import { clock, integer, moment, plural, shortPath } from "./format.ts";
import { Figures } from "./header/figures.tsx";
import { ThemeSwitch } from "./header/header.tsx";
import { Logo } from "./icons.tsx";
import { Logs } from "./logs.tsx";
import { narrow } from "./narrow.ts";
import { Ratios } from "./ratio.tsx";
import { ScriptTab } from "./script/script.tsx";
import { route } from "./store/route.ts";
import type { Run } from "./store/run.ts";
import { current, info } from "./store/signals.ts";
import { type View, view } from "./store/view.ts";
import { isLost, label } from "./store/workers.ts";
import { Cards } from "./table/cards.tsx";
import { COLUMNS } from "./table/columns.ts";
import { Grid } from "./table/grid.tsx";
import { WindowBar } from "./windowbar.tsx";
import { Workers } from "./workers.tsx";

export function Report() {
  const run = current.value;
  if (!run) return null;
  const hasChecks = run.checks.length + run.counters.length + run.metrics.length > 0;
  const parts: [id: string, title: string, part: ComponentChildren][] = [
    ["statistics", "Statistics", <Numbers key="n" run={run} />],
    ["percentiles", "Percentiles", <Percentiles key="p" />],
    ["failures", "Failures", <Failures key="f" run={run} />],
  ];
  if (run.exceptions.length > 0) {
    parts.push(["exceptions", "Exceptions", <Exceptions key="e" run={run} />]);
  }
  if (hasChecks) parts.push(["checks", "Checks", <Checks key="c" run={run} />]);
  if (run.workers.length > 0) {
    parts.push(["workers", "Workers", <Workers key="w" run={run} />]);
  }
  parts.push(["ratio", "Ratio", <Ratios key="r" run={run} />]);
  parts.push(["script", "Script", <ScriptTab key="s" run={run} />]);
  if (run.log.length > 0) parts.push(["logs", "Log", <Logs key="l" run={run} />]);
  return (
    <div class="report">
      <Title run={run} />
      <nav class="toc" aria-label="Contents">
        {parts.map(([id, title]) => (
          <a
            key={id}
            href={`#${id}`}
            onClick={(event) => {
              // The hash holds window and names, so a jump must not change it.
              event.preventDefault();
              document.getElementById(`part-${id}`)?.scrollIntoView();
            }}
          >
            {title}
          </a>
        ))}
      </nav>
      <main id="main">
        {parts.map(([id, title, part]) => (
          <section key={id} id={`part-${id}`} class={`part part-${id}`} aria-label={title}>
            <h2>{title}</h2>
            <Boundary>{part}</Boundary>
          </section>
        ))}
      </main>
      <footer class="muted">
        Made by Katydid {info.value?.version}.{" "}
        <span class="hint">Drag on a chart to see the numbers of a window.</span>
      </footer>
      <Dialogs run={run} />
      <ChartTable />
      <Toast />
    </div>
  );
}

function Title({ run }: { run: Run }) {
  const { head } = run;
  const began = head?.epoch_us;
  const facts: [string, string][] = [
    ["Script", shortPath(head?.script ?? "")],
    ["Host", head?.host ?? ""],
    ["Began", began == null ? "–" : moment(began)],
    ["Ended", began == null ? "–" : moment(began + run.t * 1e6)],
    ["Length", clock(run.t)],
    ["Users", `${integer(run.users.peak)} at most`],
    ["Seed", String(head?.seed ?? "")],
    ["Katydid", info.value?.version ?? ""],
  ];
  return (
    <header class="report-head">
      <p class="report-line">
        <Logo /> <span class="muted">Katydid report</span>
        <span class="spring" />
        <ThemeSwitch />
      </p>
      <h1>{head?.label || `${shortPath(head?.script ?? "run")} → ${head?.host ?? ""}`}</h1>
      <p class="verdict">{verdict(run)}</p>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {run.warnings.length > 0 && (
        <ul class="caveats">
          {run.warnings.map((text) => (
            <li key={text} class={text.startsWith("LOST") ? "bad" : ""}>
              {text}
            </li>
          ))}
        </ul>
      )}
    </header>
  );
}

/** The run in a sentence. */
function verdict(run: Run): string {
  const requests = run.head?.requests ?? 0;
  const failures = run.head?.failures ?? 0;
  const tainted = run.seconds.tainted.filter((flag) => flag === 1).length;
  const parts = [
    failures === 0
      ? `none of ${plural(requests, "request")} failed`
      : `${integer(failures)} of ${plural(requests, "request")} failed`,
    tainted === 0
      ? "generator healthy"
      : `generator late in ${plural(tainted, "second")} of ${integer(run.t)}`,
  ];
  if (run.generations.length > 1) {
    parts.push(`${integer(run.generations.length)} versions of the script`);
  }
  if (run.workers.length > 0) {
    const lost = run.workers.filter(isLost);
    const names = lost.slice(0, 3).map(label).join(", ");
    const others = lost.length > 3 ? ` and ${integer(lost.length - 3)} others` : "";
    parts.push(
      lost.length === 0
        ? plural(run.workers.length, "worker")
        : `${names}${others} of ${plural(run.workers.length, "worker")} lost`,
    );
  }
  if (run.head?.why) parts.push(run.head.why);
  return parts.join("; ");
}

function Numbers({ run }: { run: Run }) {
  const { window } = route.value;
  const now = view.value;
  return (
    <>
      <Figures run={run} />
      <WindowBar run={run} />
      <ChartsTab run={run} />
      {window.kind === "compare" ? <CompareTable /> : now && <Rows view={now} />}
    </>
  );
}

function Rows({ view: now }: { view: View }) {
  return narrow.value ? <Cards view={now} /> : <Grid view={now} />;
}

const QUANTILES = COLUMNS.filter(({ key }) => /^p\d/.test(key) || key === "max");

/** All percentiles of all names, in the same window. */
function Percentiles() {
  return view.value && <Grid view={view.value} columns={QUANTILES} />;
}

export function Unreadable({ reason }: { reason: string }) {
  return (
    <main class="login">
      <p>
        This report's data cannot be read: <code>{reason}</code>
      </p>
    </main>
  );
}
