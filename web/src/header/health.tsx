/** The generator's own health: whether the numbers are the target's, or may be Katydid's. */

import type { Worker } from "../api.ts";
import { figures, integer, ms, plural } from "../format.ts";
import type { Run } from "../store/run.ts";
import { fleet, isSilent, label, troubles } from "../store/workers.ts";

/** What of the last seconds is looked at. */
const RECENT_S = 10;
/** So many tainted ones of them, and the generator is late. */
const MANY = 3;
const BUSY = 0.9;

export interface Condition {
  /** CPU as a share of the cores it has. */
  cpu: number;
  /** Greatest lag of the last seconds, µs. */
  lagUs: number;
  isLate: boolean;
}

export function condition(run: Run): Condition {
  const { seconds, generator } = run;
  const from = Math.max(0, run.t - RECENT_S);
  const recent = (column: readonly number[]) => column.slice(from, run.t);
  const cpuUs = recent(seconds.cpu_us);
  const used = cpuUs.reduce((a, b) => a + b, 0) / Math.max(1, cpuUs.length);
  const cpu = used / 1e6 / Math.max(1, generator.cores);
  const tainted = recent(seconds.tainted).reduce((a, b) => a + b, 0);
  return {
    cpu,
    lagUs: recent(seconds.lag_us).reduce((a, b) => Math.max(a, b), 0),
    isLate: tainted >= MANY || cpu > BUSY,
  };
}

export function Health({ run }: { run: Run }) {
  if (run.t === 0) return null;
  return run.workers.length > 0 ? <Fleet workers={run.workers} /> : <Own run={run} />;
}

/** With workers, they are the generator. */
function Fleet({ workers }: { workers: Worker[] }) {
  const { there, troubled, cpu } = fleet(workers);
  const [worst] = troubled;
  const others = troubled.length > 1 ? ` +${integer(troubled.length - 1)}` : "";
  const words = worst
    ? troubled
        .slice(0, 8)
        .map((worker) => `${label(worker)}: ${[trouble(worker), ...troubles(worker)].join(", ")}`)
    : [`Of ${plural(there, "worker")} the busiest uses ${figures(cpu * 100)} % of its CPU.`];
  const tone = worst && (isSilent(worst) ? "health late gone" : "health late");
  return (
    <p class={tone ?? "health"} title={words.join("\n")}>
      <i class="ring" /> <span>{worst ? label(worst) : plural(there, "worker")}</span>{" "}
      <b>{worst ? `${trouble(worst)}${others}` : there > 0 ? `${integer(cpu * 100)} %` : ""}</b>
    </p>
  );
}

/** In a word. */
function trouble(worker: Worker): string {
  return isSilent(worker) ? worker.state : worker.strained.now.join(", ");
}

function Own({ run }: { run: Run }) {
  const { cpu, lagUs, isLate } = condition(run);
  const words = isLate
    ? `The generator is late: these times may be Katydid's own. Greatest lag ${ms(lagUs)} ms in ${RECENT_S} s, CPU ${integer(cpu * 100)} % of its cores.`
    : `Katydid itself: CPU ${figures(cpu * 100)} % of its ${integer(run.generator.cores)} cores, greatest lag ${ms(lagUs)} ms in ${RECENT_S} s.`;
  return (
    <p class={isLate ? "health late" : "health"} title={words}>
      <i class="ring" /> <span>{isLate ? "generator late" : "generator"}</span>{" "}
      <b>{isLate ? `${ms(lagUs)} ms` : `${integer(cpu * 100)} %`}</b>
    </p>
  );
}
