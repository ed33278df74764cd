/** Makes a uPlot for a panel: scales, axes, and what is drawn under and over its lines. */

import uPlot from "uplot";
import { clock, figures } from "../format.ts";
import type { Run } from "../store/run.ts";
import { drawHatch, drawShade, drawWindow, stretches } from "./hatch.ts";
import { drawHeat, extent } from "./heat.ts";
import { drawMarks } from "./marks.ts";
import { colour } from "./palette.ts";
import type { Line, PanelData } from "./panels.ts";

/** What a plot reads each time it draws; the panel keeps it current. */
export interface Scene {
  data: PanelData;
  run: Run;
  windows: [from: number, to: number][];
  /** The seconds on the screen. */
  range: [from: number, to: number];
}

export interface Handlers {
  onCursor(second: number | null): void;
  onBrush(from: number, to: number): void;
  onClear(): void;
}

const AXIS_FONT = "11px system-ui, sans-serif";
/** Height of the time axis, and the least that two labels of the other one are apart, in pixels. */
const TIME_AXIS = 23;
const LABEL_PX = 13;

/** The columns of a plot: seconds, then each line. */
export function columns(scene: Scene): uPlot.AlignedData {
  const length = scene.run.t;
  const seconds = Array.from({ length }, (_, second) => second);
  return [seconds, ...drawn(scene.data).map((line) => fitted(line.values, length))];
}

/** A line as it is drawn; over a heat map each lies on a wider one in the ground's colour. */
type Drawn = Line & { isHalo?: boolean };

function drawn(data: PanelData): Drawn[] {
  if (!data.heat) return data.lines;
  return [...data.lines.map((line) => ({ ...line, isHalo: true })), ...data.lines];
}

function fitted(values: (number | null)[], length: number): (number | null)[] {
  if (values.length === length) return values;
  return Array.from({ length }, (_, at) => values[at] ?? null);
}

/** Changes only when a plot has to be made anew. */
export function shape(data: PanelData): string {
  return JSON.stringify([data.id, data.isLog, data.lines.map((l) => [l.label, l.colour])]);
}

export function makePlot(
  target: HTMLElement,
  size: { width: number; height: number },
  scene: () => Scene,
  handlers: Handlers,
): uPlot {
  const { data } = scene();
  const grid = { stroke: colour("grid"), width: 1 };
  const axis = { stroke: colour("muted"), font: AXIS_FONT, grid, ticks: { show: false } };
  const options: uPlot.Options = {
    ...size,
    padding: [8, data.isLog ? 34 : 18, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: "katydid" },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      points: { size: (_, at) => (drawn(data)[at - 1]?.isHalo ? 0 : 6), width: 0 },
      y: false,
      bind: {
        dblclick: () => () => {
          handlers.onClear();
          return null;
        },
      },
    },
    scales: {
      x: { time: false, range: () => scene().range },
      y: { distr: data.isLog ? 3 : 1, range: (_, low, high) => yRange(scene().data, low, high) },
    },
    axes: [
      { ...axis, size: TIME_AXIS, gap: 7, space: 64, incrs: STEPS, values: (_, s) => s.map(clock) },
      {
        ...axis,
        size: 42,
        gap: 6,
        space: 26,
        ...(data.isLog && {
          splits: (u: uPlot, __: number, low: number, high: number) =>
            decades(low, high, u.height - TIME_AXIS),
          // uPlot itself would name the powers of ten only.
          filter: (_: uPlot, splits: number[]) => splits,
        }),
        values: (_, splits) => splits.map((value) => axisLabel(value, data.isLog ?? false)),
      },
    ],
    series: [{}, ...drawn(data).map((line, at) => lineOptions(line, at, scene))],
    hooks: {
      drawAxes: [(u) => drawUnder(u, scene())],
      draw: [(u) => drawOver(u, scene())],
      setCursor: [(u) => handlers.onCursor(u.cursor.idx ?? null)],
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          if (width < 4) return;
          const from = Math.max(0, Math.floor(u.posToVal(left, "x")));
          const to = Math.ceil(u.posToVal(left + width, "x"));
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          handlers.onBrush(from, Math.max(from + 1, Math.min(to, scene().run.t)));
        },
      ],
    },
  };
  return new uPlot(options, columns(scene()), target);
}

/** Steps of the time axis in seconds that people count in. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/** Powers of ten, and their doubles and fives where `pixels` have room for their labels. */
function decades(low: number, high: number, pixels: number): number[] {
  const perDecade = pixels / Math.log10(high / low);
  const steps = perDecade * Math.log10(2) >= LABEL_PX ? [1, 2, 5] : [1];
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    for (const step of steps) {
      const value = step * 10 ** power;
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found;
}

function axisLabel(value: number | null, isLog: boolean): string {
  if (value === null) return "";
  if (isLog) return value.toLocaleString("en-US", { maximumSignificantDigits: 1 });
  if (value >= 1e6) return `${Number((value / 1e6).toFixed(1))}M`;
  if (value >= 1e5) return `${Number((value / 1e3).toFixed(1))}k`;
  return value >= 10 || Number.isInteger(value) ? value.toLocaleString("en-US") : figures(value);
}

/** The least that an axis of whole numbers goes up to: below it would have fractions. */
const FEWEST = 5;

function yRange(data: PanelData, low: number | null, high: number | null): [number, number] {
  if (data.isLog) {
    const seen = data.heat ? extent(data.heat.series, data.heat.latency) : null;
    const bottom = Math.min(seen?.[0] ?? low ?? 1, low ?? Number.POSITIVE_INFINITY);
    const top = Math.max(seen?.[1] ?? high ?? 100, high ?? 0);
    return [bottom / 1.3, Math.max(top * 1.25, (bottom / 1.3) * 10)];
  }
  const most = Math.max(high ?? 0, data.limit ?? 0);
  return [0, Math.max(most * 1.12, data.isCount ? FEWEST : 1)];
}

function lineOptions(line: Drawn, at: number, scene: () => Scene): uPlot.Series {
  if (line.isHalo) {
    const ground = `color-mix(in srgb, ${colour("ground")} 55%, transparent)`;
    return { stroke: ground, width: 3.5, points: { show: false } };
  }
  const stroke = colour(line.colour);
  return {
    label: line.label,
    stroke,
    width: 1.5,
    dash: line.dash,
    fill: line.isArea ? `color-mix(in srgb, ${stroke} 9%, transparent)` : undefined,
    spanGaps: false,
    points: {
      size: 5,
      width: 1,
      stroke,
      fill: colour("ground"),
      show: (u, _series, from, to) => {
        const lines = drawn(scene().data);
        return to - from < 2 || !!lines[at]?.isThin || u.data[0].length < 2;
      },
      filter: (u, _series, show) => {
        if (!show) return null;
        const isThin = drawn(scene().data)[at]?.isThin;
        const values = u.data[at + 1]!;
        const found: number[] = [];
        for (let i = 0; i < values.length; i++) {
          if (values[i] == null) continue;
          // A second with none beside it has no line that would show it.
          const isAlone = values[i - 1] == null && values[i + 1] == null;
          if (isAlone || isThin?.(i)) found.push(i);
        }
        return found;
      },
    },
  };
}

function drawUnder(u: uPlot, { data, run }: Scene): void {
  const { seconds } = run;
  const paused = stretches(run.t, (second) => seconds.paused[second] === 1);
  drawShade(u, paused, "muted", 0.16);
  if (data.heat) drawHeat(u, data.heat.series, data.heat.latency);
  drawHatch(
    u,
    stretches(run.t, (second) => seconds.tainted[second] === 1),
  );
  const incomplete = (run.series.get(0) ?? []).filter((stretch) => stretch.isIncomplete);
  drawHatch(
    u,
    incomplete.map((stretch) => [stretch.from, stretch.from + stretch.len]),
  );
}

function drawOver(u: uPlot, { data, run, windows }: Scene): void {
  for (const [from, to] of windows) drawWindow(u, from, to);
  if (data.limit !== undefined) drawLimit(u, data.limit);
  drawMarks(u, run.marks);
  drawEnds(u, drawn(data));
}

function drawLimit(u: uPlot, limit: number): void {
  const { ctx, bbox } = u;
  const y = Math.round(u.valToPos(limit, "y", true));
  ctx.save();
  ctx.strokeStyle = colour("warning");
  ctx.globalAlpha = 0.6;
  ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

/** Names at the right ends of lines, moved apart where they would overlap. Long ones stay out. */
function drawEnds(u: uPlot, lines: Drawn[]): void {
  const { ctx, bbox } = u;
  const last = u.data[0].length - 1;
  const height = 11 * devicePixelRatio;
  const ends = lines
    .map((line, at) => ({ line, value: u.data[at + 1]?.[last] ?? u.data[at + 1]?.[last - 1] }))
    .filter((end) => end.value != null && !end.line.isHalo && end.line.label.length <= 3)
    .map((end) => ({ line: end.line, y: u.valToPos(end.value!, "y", true) }))
    .sort((a, b) => a.y - b.y);
  ctx.save();
  ctx.font = `600 ${10 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  let lowest = Number.NEGATIVE_INFINITY;
  const end = u.valToPos(u.data[0][last] ?? 0, "x", true);
  const x = Math.min(end, bbox.left + bbox.width) + 5 * devicePixelRatio;
  for (const { line, y } of ends) {
    lowest = Math.max(y, lowest + height);
    ctx.fillStyle = colour(line.colour);
    ctx.fillText(line.label, x, lowest);
  }
  ctx.restore();
}
