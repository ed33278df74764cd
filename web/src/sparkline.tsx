/** When something happened over the run, as small bars; the same width for all, so that rows compare. */

import type { Trace } from "./api.ts";
import { integer, localTime } from "./format.ts";
import { wallTime } from "./seen.tsx";
import type { Run } from "./store/run.ts";

/** In the units of the drawing, which are CSS pixels unless there is less room. */
const WIDTH = 120;
const HEIGHT = 20;
/** What is narrower or lower is not seen. */
const LEAST = 1.5;

/** Bars from the bottom up, over `seconds` of the run; stretches without a count have none. */
export function bars(trace: Trace, seconds: number): string {
  const end = trace.from + trace.counts.length * trace.step;
  const scale = WIDTH / Math.max(seconds, end, 1);
  const peak = Math.max(...trace.counts);
  const parts = trace.counts.map((count, nth) => {
    if (count === 0) return "";
    const left = (trace.from + nth * trace.step) * scale;
    const gap = trace.step * scale > 4 ? 1 : 0;
    const width = Math.max(trace.step * scale - gap, LEAST);
    const height = Math.max((count / peak) * HEIGHT, LEAST);
    const from = Math.min(left, WIDTH - width);
    return `M${from.toFixed(1)} ${HEIGHT}v-${height.toFixed(1)}h${width.toFixed(1)}V${HEIGHT}z`;
  });
  return parts.join("");
}

/** `peak 41 in 4 s at 12:04:12` */
export function peakOf(run: Run, trace: Trace): string {
  const peak = Math.max(...trace.counts);
  const second = trace.from + trace.counts.indexOf(peak) * trace.step;
  const at = localTime(wallTime(run, second * 1e6));
  return `peak ${integer(peak)} in ${integer(trace.step)} s at ${at}`;
}

export function Sparkline({ run, trace }: { run: Run; trace: Trace }) {
  if (trace.counts.length === 0) return null;
  const text = peakOf(run, trace);
  return (
    <svg class="sparkline" role="img" aria-label={text} viewBox={`0 0 ${WIDTH} ${HEIGHT}`}>
      <title>{text}</title>
      <path class="axis" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
      <path d={bars(trace, run.t)} />
    </svg>
  );
}
