/** Choosing a window by keyboard: arrows move the cursor, with Shift they widen the window. */

import type uPlot from "uplot";
import { go, route } from "../store/route.ts";

export function moveCursor(event: KeyboardEvent, plot: uPlot, seconds: number): void {
  const step = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
  if (step === 0 || seconds === 0) return;
  event.preventDefault();
  const at = plot.cursor.idx ?? seconds - 1;
  const next = Math.min(seconds - 1, Math.max(0, at + step * (event.ctrlKey ? 10 : 1)));
  const left = plot.valToPos(next, "x");
  plot.setCursor({ left, top: plot.over.clientHeight / 2 }, true);
  if (event.shiftKey && next !== at) widen(at, next);
}

function widen(at: number, next: number): void {
  const { window } = route.peek();
  let [from, to] = window.kind === "range" ? [window.from, window.to] : [at, at + 1];
  // The edge that the cursor was at moves with it; the other one stays.
  if (at === from && (to - from === 1 ? next < at : true)) from = next;
  else to = next + 1;
  if (to <= from) [from, to] = [Math.min(from, next), Math.max(from, next) + 1];
  go({ window: { kind: "range", from, to } });
}
