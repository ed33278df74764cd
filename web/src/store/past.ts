/** Finished runs that are looked at: fetched when the address names one. */

import { effect } from "@preact/signals";
import { fetchChosen } from "./live.ts";
import { go, route } from "./route.ts";
import { fromSnapshot } from "./run.ts";
import { current, past, say } from "./signals.ts";
import { source } from "./source.ts";

export function keepPast(): void {
  effect(() => {
    const { run, chosen } = route.value;
    if (run !== null && run !== current.peek()?.run && run !== past.peek()?.run) void fetchRun(run);
    else if (chosen.length > 0) void fetchChosen();
  });
}

async function fetchRun(run: number): Promise<void> {
  try {
    const snapshot = await source().snapshot(run);
    if (route.peek().run !== run) return;
    past.value = fromSnapshot(snapshot);
    await fetchChosen();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), true);
    go({ run: null });
  }
}
