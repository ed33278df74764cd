/** What the page shows, as signals: everything that more than one part of it reads. */

import { computed, signal } from "@preact/signals";
import type { Info, RunHead, State, WindowRows } from "../api.ts";
import { route } from "./route.ts";
import type { Run } from "./run.ts";
import type { Latency } from "./series.ts";

/** How things stand with the server. */
export type Link =
  | { kind: "connecting" }
  | { kind: "login" }
  | { kind: "live" }
  /** `nextAt`: when it is tried again, ms of `Date.now()`. */
  | { kind: "lost"; since: number; nextAt: number }
  /** Another process answers than the one whose data are shown. */
  | { kind: "restarted" }
  | { kind: "ended"; text: string };

export const connection = signal<Link>({ kind: "connecting" });
export const info = signal<Info | null>(null);

/** The current run, or the last one, or the empty one before the first. */
export const current = signal<Run | null>(null);

/** A finished run that is looked at, once it has been fetched. */
export const past = signal<Run | null>(null);

/** What is on the screen. */
export const shown = computed<Run | null>(() =>
  route.value.run !== null && route.value.run !== current.value?.run ? past.value : current.value,
);

export const runs = signal<RunHead[]>([]);
export const latency = signal<Latency>("response");

/** Whether the charts show only the chosen window. */
export const isZoomed = signal(false);

/** Rows of a window that the server has computed, and which window that was. */
export const windowRows = signal<{ key: string; rows: WindowRows } | null>(null);

/** Whether the start form stands in place of the finished run. */
export const isFormOpen = signal(false);

/** Which dialog is open. */
export const dialog = signal<"keys" | "note" | "stop" | "parameters" | "columns" | null>(null);

/** Something went well or was refused; shown for a while. */
export const toast = signal<{ text: string; isError: boolean; at: number } | null>(null);

export function say(text: string, isError = false): void {
  toast.value = { text, isError, at: Date.now() };
}

/** Search in names of the table. */
export const search = signal("");

const OVER: ReadonlySet<State> = new Set(["ready", "stopped", "failed"]);

/** Whether users are, or are about to be, at work. */
export function isActive(state: State): boolean {
  return !OVER.has(state);
}

export const isRunning = computed(() => isActive(current.value?.state ?? "ready"));

export type Theme = "auto" | "light" | "dark";
const stored = (() => {
  try {
    return localStorage.getItem("katydid-theme");
  } catch {
    return null;
  }
})();
export const theme = signal<Theme>(stored === "light" || stored === "dark" ? stored : "auto");

/** Changes each time colours do, so that canvases are drawn anew. */
export const colours = signal(0);

export function setTheme(next: Theme): void {
  theme.value = next;
  try {
    if (next === "auto") localStorage.removeItem("katydid-theme");
    else localStorage.setItem("katydid-theme", next);
  } catch {
    // A browser that keeps nothing still shows the theme until the page is left.
  }
  applyTheme();
}

export function applyTheme(): void {
  const root = document.documentElement;
  if (theme.value === "auto") root.removeAttribute("data-theme");
  else root.setAttribute("data-theme", theme.value);
  colours.value++;
}

// Canvases do not follow style sheets: they are drawn anew for another scheme, for the reader's own
// colours, and for paper.
for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)", "print"]) {
  matchMedia(query).addEventListener("change", applyTheme);
}
