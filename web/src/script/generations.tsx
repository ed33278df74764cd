/** The versions of the script that ran. */

import { clock, localTime, plural } from "../format.ts";
import type { Run } from "../store/run.ts";
import { reading } from "./script.tsx";

const CAUSES: Record<string, string> = {
  start: "the start",
  saved: "saved",
  parameters: "parameters changed",
  classes: "classes changed",
  host: "host changed",
  options: "options changed",
};

export function Generations({ run, number }: { run: Run; number: number | null }) {
  if (run.generations.length === 0) {
    return (
      <section>
        <h2>{run.script.path}</h2>
        <p class="muted">
          version <code>{run.script.hash.slice(0, 12)}</code>
        </p>
      </section>
    );
  }
  return (
    <section>
      <h2>{plural(run.generations.length, "generation")}</h2>
      <ol class="generations">
        {!run.script.is_ok && (
          <li>
            <button
              type="button"
              aria-pressed={number === null}
              onClick={() => (reading.value = null)}
            >
              <b class="warn">!</b>
              <span>edited, not in service</span>
            </button>
          </li>
        )}
        {[...run.generations].reverse().map((generation) => (
          <li key={generation.n}>
            <button
              type="button"
              aria-pressed={generation.n === number}
              onClick={() => (reading.value = generation.n)}
            >
              <b>g{generation.n}</b>
              <span>{CAUSES[generation.cause] ?? generation.cause}</span>
              <small title={localTime(generation.wall_us)}>{clock(generation.at_us / 1e6)}</small>
              <code>{generation.hash.slice(0, 12)}</code>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
