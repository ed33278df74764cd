/** One chart: a title line that is also its legend, the plot, and the same as a table. */

import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { clock } from "../format.ts";
import { Icon } from "../icons.tsx";
import { go } from "../store/route.ts";
import type { Run } from "../store/run.ts";
import { colours } from "../store/signals.ts";
import { moveCursor } from "./brush.ts";
import { wordsAt } from "./marks.ts";
import type { Line, PanelData } from "./panels.ts";
import { columns, makePlot, type Scene, shape } from "./plot.ts";
import { saveImage, tabled } from "./save.tsx";

/** The second under the cursor, the same on all panels. */
export const cursor = signal<number | null>(null);

interface Props {
  data: PanelData;
  run: Run;
  /** Windows that are looked at. */
  windows: [number, number][];
  range: [number, number];
}

export function Panel({ data, run, windows, range }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const scene = useRef<Scene>({ data, run, windows, range });
  scene.current = { data, run, windows, range };
  const made = `${shape(data)} ${colours.value}`;

  useLayoutEffect(() => {
    const target = holder.current!;
    const size = () => ({
      width: Math.max(80, target.clientWidth),
      height: Math.max(60, target.clientHeight),
    });
    plot.current = makePlot(target, size(), () => scene.current, {
      onCursor: (second) => {
        if (cursor.peek() !== second) cursor.value = second;
      },
      onBrush: (from, to) => go({ window: { kind: "range", from, to } }),
      onClear: () => go({ window: { kind: "whole" } }),
    });
    const watch = new ResizeObserver(() => plot.current?.setSize(size()));
    watch.observe(target);
    return () => {
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [made]);

  useEffect(() => {
    plot.current?.setData(columns(scene.current));
  }, [data, run, String(windows), range[0], range[1]]);

  return (
    <section class="panel" aria-label={data.title}>
      <header>
        <h2>
          {data.title} {data.unit && <small>{data.unit}</small>}
        </h2>
        <Legend data={data} run={run} />
        <div class="panel-tools">
          <button type="button" title="As a table" onClick={() => (tabled.value = data)}>
            <Icon name="table" label={`${data.title} as a table`} />
          </button>
          <button
            type="button"
            title="Save as PNG"
            onClick={() => plot.current && saveImage(plot.current, data.title)}
          >
            <Icon name="image" label={`Save ${data.title} as PNG`} />
          </button>
        </div>
      </header>
      <div
        class="plot"
        ref={holder}
        tabIndex={0}
        role="group"
        aria-roledescription="chart"
        aria-label={summary(data, run)}
        onKeyDown={(event) => plot.current && moveCursor(event, plot.current, run.t)}
      />
      {run.t === 0 && <p class="plot-empty">{emptyWords(run)}</p>}
    </section>
  );
}

function emptyWords(run: Run): string {
  return run.state === "ready" ? "no run yet" : "the first second is under way";
}

/** The values under the cursor, or the last ones. Its own component: it alone follows the mouse. */
function Legend({ data, run }: { data: PanelData; run: Run }) {
  const under = cursor.value;
  const second = under ?? run.t - 1;
  const note = under === null ? null : data.lines.map((line) => line.note?.(second)).find(Boolean);
  const lines = data.isTopFirst ? [...data.lines].reverse() : data.lines;
  const marks = under === null ? "" : wordsAt(run.marks, second);
  return (
    <p class="legend" title={note?.full}>
      {under !== null && <b class="at">{clock(second)}</b>}
      {lines.map((line) => (
        <LegendEntry key={line.label} line={line} second={second} />
      ))}
      {marks && <span class="muted">{marks}</span>}
      {!marks && note && <span class="muted note">{note.short}</span>}
    </p>
  );
}

function LegendEntry({ line, second }: { line: Line; second: number }) {
  const value = line.values[second];
  if (line.isRare && !value) return null;
  return (
    <span class={`entry c-${line.colour}`}>
      <i class={line.dash?.length ? "swatch dashed" : "swatch"} /> <span>{line.label}</span>{" "}
      <b>{value == null ? "–" : line.format(value)}</b>
    </span>
  );
}

/** The chart in one sentence, for those who do not see it. */
function summary(data: PanelData, run: Run): string {
  const parts = data.lines.map((line) => {
    const values = line.values.filter((value): value is number => value != null);
    if (values.length === 0) return `${line.label}: nothing yet`;
    const last = values[values.length - 1]!;
    // Not Math.max(...values): a day has more seconds than a call may have arguments.
    const most = values.reduce((a, b) => Math.max(a, b), 0);
    return `${line.label} ${line.format(last)}, at most ${line.format(most)}`;
  });
  return `${data.title} ${data.unit} over ${clock(run.t)}: ${parts.join("; ")}`;
}
