/** The heat map behind the percentile lines: all requests, by second and time. */

import type uPlot from "uplot";
import { cellFrom, heat } from "../hdr.ts";
import { type Latency, type Series, times } from "../store/series.ts";
import { heatColours, isDark } from "./palette.ts";

/** Rows of the picture; it is stretched to the plot, so more would not be seen. */
const ROWS = 200;
/** Beyond so many columns several seconds share one. */
const MOST_COLUMNS = 1200;

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
  const rowOf = (us: number) =>
    Math.floor(((Math.log(us / 1000) - Math.log(low)) / (Math.log(high) - Math.log(low))) * ROWS);
  let most = 0;
  for (const stretch of series) {
    const first = Math.floor((stretch.from - left) / perColumn);
    const last = Math.max(first, Math.ceil((stretch.from + stretch.len - left) / perColumn) - 1);
    for (const [cell, count] of heat(times(stretch, latency))) {
      const bottom = Math.max(0, rowOf(cellFrom(cell)));
      const top = Math.min(ROWS - 1, Math.max(bottom, rowOf(cellFrom(cell + 1)) - 1));
      for (let column = Math.max(0, first); column <= Math.min(columns - 1, last); column++) {
        for (let row = bottom; row <= top; row++) {
          const at = (ROWS - 1 - row) * columns + column;
          counts[at]! += count / stretch.len;
          if (counts[at]! > most) most = counts[at]!;
        }
      }
    }
  }
  if (most > 0) paint(u, counts, columns, most, left, perColumn);
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
  const scale = 255 / Math.log1p(most);
  counts.forEach((count, at) => {
    if (count > 0) words[at] = colours[Math.round(Math.log1p(count) * scale)]!;
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
