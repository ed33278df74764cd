/** Marks on the time axis: what was changed, and when. Shapes differ, not only colours. */

import type uPlot from "uplot";
import type { Mark } from "../api.ts";
import { colour } from "./palette.ts";

/** Those that are drawn as a line with a sign; pauses and tainted seconds are areas. */
const SIGNS: Partial<Record<Mark["kind"], { colour: string; name: string }>> = {
  reload: { colour: "accent", name: "script" },
  users: { colour: "muted", name: "users" },
  run_time: { colour: "muted", name: "run time" },
  reset: { colour: "text", name: "reset" },
  note: { colour: "good", name: "note" },
};

export function drawMarks(u: uPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = u;
  const dot = devicePixelRatio;
  ctx.save();
  for (const mark of marks) {
    const sign = SIGNS[mark.kind];
    const x = Math.round(u.valToPos(mark.at_us / 1e6, "x", true));
    if (!sign || x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = colour(sign.colour);
    ctx.lineWidth = dot;
    ctx.globalAlpha = 0.55;
    ctx.setLineDash([2 * dot, 3 * dot]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top + 6 * dot);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
    drawSign(ctx, mark.kind, x, bbox.top + 1 * dot, 4 * dot);
  }
  ctx.restore();
}

function drawSign(
  ctx: CanvasRenderingContext2D,
  kind: Mark["kind"],
  x: number,
  top: number,
  half: number,
): void {
  ctx.beginPath();
  switch (kind) {
    case "reload":
      ctx.moveTo(x, top - half * 0.5);
      ctx.lineTo(x + half * 1.15, top + half * 1.5);
      ctx.lineTo(x - half * 1.15, top + half * 1.5);
      ctx.closePath();
      break;
    case "users":
      ctx.arc(x, top + half * 0.6, half * 0.8, 0, 2 * Math.PI);
      break;
    case "note":
      ctx.moveTo(x, top - half * 0.5);
      ctx.lineTo(x + half, top + half * 0.6);
      ctx.lineTo(x, top + half * 1.7);
      ctx.lineTo(x - half, top + half * 0.6);
      ctx.closePath();
      break;
    default:
      ctx.rect(x - half * 0.8, top - half * 0.2, half * 1.6, half * 1.6);
  }
  ctx.fill();
}

/** The marks of one second in words, for the line under the cursor. */
export function wordsAt(marks: readonly Mark[], second: number): string {
  return marks
    .filter((mark) => mark.kind !== "tainted" && Math.floor(mark.at_us / 1e6) === second)
    .map((mark) => mark.text)
    .join(" · ");
}
