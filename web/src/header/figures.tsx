/** The numbers on top: users, rate, failures, three percentiles, and how the generator does. */

import { integer, ms, rate, share } from "../format.ts";
import type { Run } from "../store/run.ts";
import { isActive, latency } from "../store/signals.ts";
import { topFigures } from "../store/view.ts";
import { Health } from "./health.tsx";

export function Figures({ run }: { run: Run }) {
  const now = topFigures.value;
  const live = isActive(run.state);
  const over = now ? `over: ${now.over}` : "";
  const which = latency.value === "service" ? "service time" : "response time";
  return (
    <section class="figures" aria-label="Figures">
      <p title="Users at work, and how many are asked for">
        <span>users</span>
        {live ? (
          <b>
            {integer(run.users.running)}
            <i>/{integer(run.users.asked)}</i>
          </b>
        ) : (
          <b>{integer(run.users.peak)}</b>
        )}
        {!live && <i>at most</i>}
      </p>
      <p title={`Requests a second, ${over}`}>
        <b>{now ? rate(now.rps) : "–"}</b> <span>req/s</span>
      </p>
      <p
        class={now && now.failures > 0 ? "bad" : ""}
        title={now ? `${integer(now.failures)} of ${integer(now.requests)} requests failed` : ""}
      >
        <span>failed</span> <b>{now ? share(now.failures, now.requests) : "–"}</b>
      </p>
      {(["p50", "p95", "p99"] as const).map((name) => (
        <p class={`c-${name}`} key={name} title={`${name} of ${which}, ${over}`}>
          <span>
            <i class="swatch" /> {name}
          </span>{" "}
          <b>{now && now.requests > 0 ? ms(now[name]) : "–"}</b> <i>ms</i>
        </p>
      ))}
      {!live && run.in_flight > 0 && (
        <p title="Requests under way when their users were cut: in no row">
          <span>in flight at stop</span> <b>{integer(run.in_flight)}</b>
        </p>
      )}
      <Health run={run} />
    </section>
  );
}
