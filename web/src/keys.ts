/** Single keys. None of them stops or resets anything. */

import { tabled } from "./charts/save.tsx";
import { go, route } from "./store/route.ts";
import { dialog, info, isRunning, shown } from "./store/signals.ts";
import { shownTabs } from "./tabs.tsx";
import { clearWindow } from "./windowbar.tsx";

export const KEYS: [keys: string, what: string][] = [
  ["?", "this list"],
  ["/", "search names"],
  ["1 – 9", "tabs"],
  ["e", "users"],
  ["n", "note on the charts"],
  ["[ ]", "versions of the script"],
  ["← →", "move the cursor of the chart that has the focus"],
  ["Shift ← →", "widen the window"],
  ["Enter", "on a name: put it on the charts"],
  ["Esc", "clear window or dialog"],
];

export function listenToKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement | null;
    if (target?.closest("input, textarea, select, dialog")) return;
    if (press(event.key)) event.preventDefault();
  });
}

function press(key: string): boolean {
  const run = shown.peek();
  if (key === "?") dialog.value = "keys";
  else if (key === "Escape") {
    // Never prevented: the browser closes dialogs and popovers with it.
    if (!tabled.peek() && !dialog.peek() && !document.querySelector(":popover-open")) clearWindow();
    return false;
  } else if (!run) return false;
  else if (key === "/") return focus("search");
  else if (key === "e") return focus("users-now");
  else if (key === "n" && isRunning.peek() && !info.peek()?.is_read_only) dialog.value = "note";
  else if (key === "[" || key === "]") step(key === "[" ? -1 : 1);
  else if (/^[1-9]$/.test(key)) {
    const tab = shownTabs(run)[Number(key) - 1];
    if (!tab) return false;
    go({ tab });
  } else return false;
  return true;
}

function focus(id: string): boolean {
  const field = document.getElementById(id);
  if (field instanceof HTMLInputElement) {
    field.focus();
    field.select();
  }
  return field !== null;
}

/** To the version of the script before or after the one that is looked at. */
function step(by: number): void {
  const numbers = (shown.peek()?.by_generation ?? []).map((part) => part.last);
  const { window } = route.peek();
  const at = window.kind === "generation" ? numbers.indexOf(window.n) : numbers.length;
  const next = numbers[Math.max(0, Math.min(numbers.length - 1, at + by))];
  if (next !== undefined) go({ window: { kind: "generation", n: next } });
}
