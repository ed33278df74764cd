/** The whole page: which screen stands, and its frame. */

import { Banners, Toast } from "./banner.tsx";
import { Boundary } from "./boundary.tsx";
import { ChartTable } from "./charts/save.tsx";
import { ChartStrip, ChartsTab } from "./charts/strip.tsx";
import { Checks } from "./checks.tsx";
import { CompareTable } from "./compare.tsx";
import { Dialogs } from "./dialogs.tsx";
import { Download } from "./download.tsx";
import { Exceptions } from "./exceptions.tsx";
import { Failures } from "./failures.tsx";
import { Figures } from "./header/figures.tsx";
import { FormHeader, Header } from "./header/header.tsx";
import { Steer } from "./header/steer.tsx";
import { Login } from "./login.tsx";
import { Logs } from "./logs.tsx";
import { narrow } from "./narrow.ts";
import { Ratios } from "./ratio.tsx";
import { ScriptTab } from "./script/script.tsx";
import { StartForm } from "./start/form.tsx";
import { StatusLine } from "./statusline.tsx";
import { route } from "./store/route.ts";
import type { Run } from "./store/run.ts";
import { connection, current, isActive, isFormOpen, shown } from "./store/signals.ts";
import { source } from "./store/source.ts";
import { view } from "./store/view.ts";
import { Cards } from "./table/cards.tsx";
import { Grid } from "./table/grid.tsx";
import { Tabs } from "./tabs.tsx";
import { WindowBar } from "./windowbar.tsx";
import { Workers } from "./workers.tsx";

export function App() {
  if (connection.value.kind === "login") return <Login />;
  const run = shown.value ?? current.value;
  if (!run) return <Opening />;
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        To the numbers
      </button>
      <button
        type="button"
        class="skip to-messages"
        onClick={() => document.getElementById("messages")?.focus()}
      >
        To the messages
      </button>
      {isFormShown() ? <FormScreen run={current.value ?? run} /> : <RunScreen run={run} />}
      <Dialogs run={run} />
      <ChartTable />
      <Toast />
    </>
  );
}

function isFormShown(): boolean {
  const now = current.value;
  if (!now || !source().isLive || route.value.run !== null || isActive(now.state)) return false;
  return now.state === "ready" || now.run === null || isFormOpen.value;
}

function Opening() {
  return (
    <main class="opening">
      <Banners />
      <p class="muted">Katydid</p>
    </main>
  );
}

function FormScreen({ run }: { run: Run }) {
  return (
    <div class="screen form-screen">
      <FormHeader run={run} />
      <main id="main" tabIndex={-1}>
        <StartForm key={run.instance} run={run} />
      </main>
      <Banners />
    </div>
  );
}

function RunScreen({ run }: { run: Run }) {
  const { tab, window } = route.value;
  const hasWindow = tab === "statistics" || tab === "charts";
  return (
    <div class={`screen run-screen tab-${tab}`}>
      <Header run={run} />
      <Figures run={run} />
      <Tabs run={run} />
      {hasWindow && <WindowBar run={run} />}
      <main id="main" tabIndex={-1} aria-label={tab}>
        <Boundary key={tab}>
          {tab === "statistics" && <ChartStrip run={run} />}
          {tab === "statistics" && window.kind === "compare" && <CompareTable />}
          {tab === "statistics" && window.kind !== "compare" && <Rows />}
          {tab === "charts" && <ChartsTab run={run} />}
          {tab === "failures" && <Failures run={run} />}
          {tab === "exceptions" && <Exceptions run={run} />}
          {tab === "checks" && <Checks run={run} />}
          {tab === "workers" && <Workers run={run} />}
          {tab === "ratio" && <Ratios run={run} />}
          {tab === "script" && <ScriptTab run={run} />}
          {tab === "logs" && <Logs run={run} />}
          {tab === "download" && <Download run={run} />}
        </Boundary>
      </main>
      <Banners run={run} />
      <StatusLine run={run} />
      {narrow.value && source().isLive && run.run === current.value?.run && (
        <section class="bottombar" aria-label="Steering">
          <Steer run={run} />
        </section>
      )}
    </div>
  );
}

function Rows() {
  const now = view.value;
  if (!now) return null;
  return narrow.value ? <Cards view={now} /> : <Grid view={now} />;
}
