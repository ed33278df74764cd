/** Stretches of time that need a caution: tainted and incomplete seconds, pauses, the window. */

import type uPlot from "uplot";
import { colour } from "./palette.ts";

/** Runs of seconds for which `holds`, as half-open stretches. */
export function stretches(length: number, holds: (second: number) => boolean): [number, number][] {
  const found: [number, number][] = [];
  for (let second = 0; second < length; second++) {
    if (!holds(second)) continue;
    const last = found[found.length - 1];
    if (last && last[1] === second) last[1] = second + 1;
    else found.push([second, second + 1]);
  }
  return found;
}

function clipped(u: uPlot, from: number, to: number): [left: number, width: number] | null {
  const { left, width } = u.bbox;
  const a = Math.max(left, u.valToPos(from, "x", true));
  const b = Math.min(left + width, u.valToPos(to, "x", true));
  return b > a ? [a, b - a] : null;
}

/** Slanted lines: "these times may be Katydid's own", or not all of them are there. */
export function drawHatch(u: uPlot, parts: [number, number][]): void {
  const { ctx, bbox } = u;
  const gap = 7 * devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour("warning");
  ctx.globalAlpha = 0.35;
  ctx.lineWidth = devicePixelRatio;
  for (const [from, to] of parts) {
    const area = clipped(u, from, to);
    if (!area) continue;
    const [left, width] = area;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, width, bbox.height);
    ctx.clip();
    ctx.beginPath();
    // From a fixed origin, so that neighbouring stretches fit together.
    const start = Math.floor((left - bbox.height) / gap) * gap;
    for (let x = start; x < left + width; x += gap) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}

/** A flat shade, for pauses. */
export function drawShade(u: uPlot, parts: [number, number][], name: string, alpha: number): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.fillStyle = colour(name);
  ctx.globalAlpha = alpha;
  for (const [from, to] of parts) {
    const area = clipped(u, from, to);
    if (area) ctx.fillRect(area[0], bbox.top, area[1], bbox.height);
  }
  ctx.restore();
}

/** The chosen window: a tint with edges. */
export function drawWindow(u: uPlot, from: number, to: number): void {
  const area = clipped(u, from, to);
  if (!area) return;
  drawShade(u, [[from, to]], "accent", 0.1);
  const { ctx, bbox } = u;
  ctx.save();
  ctx.fillStyle = colour("accent");
  const line = Math.max(1, Math.round(devicePixelRatio));
  ctx.fillRect(area[0], bbox.top, line, bbox.height);
  ctx.fillRect(area[0] + area[1] - line, bbox.top, line, bbox.height);
  ctx.restore();
}
