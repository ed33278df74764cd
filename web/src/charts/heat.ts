/** The heat map behind the percentile lines: all requests, by second and time. */

import type uPlot from "uplot";
import { cellFrom, heat, type Stretch } from "../hdr.ts";
import { type Latency, type Series, times } from "../store/series.ts";
import { heatColours, isDark } from "./palette.ts";

/** Rows of the picture; it is stretched to the plot, so more would not be seen. */
const ROWS = 160;
/** So many requests a second in a row are never painted as the most: few would look like many. */
const FEW = 30;
/** Beyond so many columns several seconds share one. */
const MOST_COLUMNS = 1200;

/** Cells of stretches, which never change: a second adds one, and all are drawn again. */
const known: Record<Latency, WeakMap<Stretch, [cell: number, count: number][]>> = {
  response: new WeakMap(),
  service: new WeakMap(),
};

function cellsOf(stretch: Stretch, latency: Latency): [cell: number, count: number][] {
  let cells = known[latency].get(stretch);
  if (!cells) {
    cells = heat(times(stretch, latency));
    known[latency].set(stretch, cells);
  }
  return cells;
}

/** The lowest and highest time (ms) of a series, for the scale; null while it is empty. */
export function extent(series: Series, latency: Latency): [number, number] | null {
  let [low, high] = [Number.POSITIVE_INFINITY, 0];
  for (const stretch of series) {
    const own = times(stretch, latency);
    if (own.count === 0) continue;
    low = Math.min(low, own.min);
    high = Math.max(high, own.max);
  }
  return high > 0 ? [Math.max(low, 1) / 1000, high / 1000] : null;
}

/** Draws the series under everything else of the plot. */
export function drawHeat(u: uPlot, series: Series, latency: Latency): void {
  const { min: left, max: right } = u.scales.x!;
  const { min: low, max: high } = u.scales.y!;
  if (left == null || right == null || low == null || high == null || right <= left) return;
  const seconds = Math.ceil(right - left);
  const perColumn = Math.max(1, Math.ceil(seconds / MOST_COLUMNS));
  const columns = Math.ceil(seconds / perColumn);
  const counts = new Float64Array(columns * ROWS);
  const log = Math.log(high / low);
  // Where each cell begins, in rows; filled as far as it is needed.
  const edges: number[] = [];
  const edge = (cell: number) => {
    edges[cell] ??= (Math.log(cellFrom(cell) / 1000 / low) / log) * ROWS;
    return edges[cell];
  };
  let most = FEW;
  let isEmpty = true;
  for (const stretch of series) {
    isEmpty &&= stretch.response.count === 0;
    const first = Math.max(0, Math.floor((stretch.from - left) / perColumn));
    const end = Math.min(columns, Math.ceil((stretch.from + stretch.len - left) / perColumn));
    for (const [cell, count] of cellsOf(stretch, latency)) {
      const [bottom, top] = [edge(cell), edge(cell + 1)];
      // Requests a second for each row, so that a cell that is wider than a row is not darker.
      const density = count / stretch.len / perColumn / (top - bottom);
      const last = Math.min(ROWS - 1, Math.ceil(top) - 1);
      for (let row = Math.max(0, Math.floor(bottom)); row <= last; row++) {
        const part = density * (Math.min(top, row + 1) - Math.max(bottom, row));
        for (let column = first; column < end; column++) {
          const at = (ROWS - 1 - row) * columns + column;
          counts[at]! += part;
          if (counts[at]! > most) most = counts[at]!;
        }
      }
    }
  }
  if (!isEmpty) paint(u, counts, columns, most, left, perColumn);
}

function paint(
  u: uPlot,
  counts: Float64Array,
  columns: number,
  most: number,
  left: number,
  perColumn: number,
): void {
  const picture = new ImageData(columns, ROWS);
  const words = new Uint32Array(picture.data.buffer);
  const colours = heatColours(isDark());
  // Logarithmic, from a thousandth of the most on: what is rarer looks the same, but is there.
  const scale = 255 / Math.log(1000);
  counts.forEach((count, at) => {
    if (count > 0)
      words[at] = colours[Math.max(0, Math.round(255 + Math.log(count / most) * scale))]!;
  });
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = ROWS;
  canvas.getContext("2d")?.putImageData(picture, 0, 0);
  const { ctx, bbox } = u;
  const from = u.valToPos(left, "x", true);
  const to = u.valToPos(left + columns * perColumn, "x", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(canvas, from, bbox.top, to - from, bbox.height);
  ctx.restore();
}
