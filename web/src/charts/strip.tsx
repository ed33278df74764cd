/** The three charts above the table, and the five of the Charts tab: one time axis, one cursor. */

import { route } from "../store/route.ts";
import type { Run } from "../store/run.ts";
import { isActive, isZoomed, latency } from "../store/signals.ts";
import { spans } from "../store/view.ts";
import { Panel } from "./panel.tsx";
import { generator, inFlight, type PanelData, requests, responseTimes, users } from "./panels.ts";

/** An axis shorter than this would jump with each new second; the second one is for runs that are over. */
const SHORTEST_S = 30;
const SHORTEST_OVER_S = 5;

function Panels({ run, panels }: { run: Run; panels: PanelData[] }) {
  const { window } = route.value;
  const windows = spans(window, run);
  const shortest = isActive(run.state) ? SHORTEST_S : SHORTEST_OVER_S;
  const whole: [number, number] = [0, Math.max(shortest, run.t - 1)];
  const zoom = isZoomed.value && window.kind === "range" ? windows[0] : undefined;
  const range = zoom ?? whole;
  return (
    <>
      {panels.map((data) => (
        <Panel key={data.id} data={data} run={run} windows={zoom ? [] : windows} range={range} />
      ))}
    </>
  );
}

export function ChartStrip({ run }: { run: Run }) {
  const { chosen } = route.value;
  return (
    <div class="strip">
      <Panels
        run={run}
        panels={[requests(run, chosen), responseTimes(run, chosen, latency.value), users(run)]}
      />
    </div>
  );
}

export function ChartsTab({ run }: { run: Run }) {
  const { chosen } = route.value;
  return (
    <div class="charts">
      <Panels
        run={run}
        panels={[
          requests(run, chosen),
          responseTimes(run, chosen, latency.value),
          users(run),
          inFlight(run),
          generator(run),
        ]}
      />
    </div>
  );
}
