/** A chart as a picture, and as a table. */

import { signal } from "@preact/signals";
import type uPlot from "uplot";
import { Dialog } from "../dialog.tsx";
import { clock } from "../format.ts";
import { Scroll } from "../scroll.tsx";
import { colour } from "./palette.ts";
import type { PanelData } from "./panels.ts";

/** The panel whose numbers are shown as a table. */
export const tabled = signal<PanelData | null>(null);

/** More rows than anybody reads; the CSV of the full history has them all. */
const MOST_ROWS = 600;

export function saveImage(plot: uPlot, title: string): void {
  const { canvas } = plot.ctx;
  const copy = document.createElement("canvas");
  copy.width = canvas.width;
  copy.height = canvas.height;
  const ctx = copy.getContext("2d");
  if (!ctx) return;
  ctx.fillStyle = colour("ground");
  ctx.fillRect(0, 0, copy.width, copy.height);
  ctx.drawImage(canvas, 0, 0);
  copy.toBlob((blob) => {
    if (!blob) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `katydid-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.png`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

export function ChartTable() {
  const data = tabled.value;
  if (!data) return null;
  const length = data.lines.reduce((most, line) => Math.max(most, line.values.length), 0);
  const first = Math.max(0, length - MOST_ROWS);
  const seconds = Array.from({ length: length - first }, (_, at) => length - 1 - at);
  return (
    <Dialog title={`${data.title} ${data.unit}`} onClose={() => (tabled.value = null)}>
      <Scroll label="Numbers" class="dialog-table">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">Time</th>
              {data.lines.map((line) => (
                <th scope="col" class="num" key={line.label}>
                  {line.label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {seconds.map((second) => (
              <tr key={second}>
                <th scope="row">{clock(second)}</th>
                {data.lines.map((line) => (
                  <td class="num" key={line.label}>
                    {line.values[second] == null ? "" : line.format(line.values[second]!)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {first > 0 && <p class="muted">The last {MOST_ROWS} seconds; the CSV has all of them.</p>}
    </Dialog>
  );
}
