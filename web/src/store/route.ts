/** What the address says: tab, window, names on the charts, run. So a link shows the same picture. */

import { signal } from "@preact/signals";

export const TABS = [
  "statistics",
  "charts",
  "failures",
  "exceptions",
  "checks",
  "workers",
  "ratio",
  "script",
  "logs",
  "download",
] as const;
export type Tab = (typeof TABS)[number];

/** The part of the run that figures and table are about. */
export type Window =
  | { kind: "whole" }
  | { kind: "reset" }
  | { kind: "last" }
  | { kind: "range"; from: number; to: number }
  | { kind: "generation"; n: number }
  /** Two sides in the words of the API: `2`, `2@10-20`, `2/gen:1`. */
  | { kind: "compare"; a: string; b: string };

export interface Route {
  tab: Tab;
  window: Window;
  /** Ids of the names on the charts. */
  chosen: number[];
  /** A finished run that is looked at; null for the current one. */
  run: number | null;
}

/** How many names fit on a chart before it is a tangle. */
export const MOST_CHOSEN = 6;

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?");
  const params = new URLSearchParams(query);
  const run = Number(params.get("run"));
  return {
    tab: TABS.find((tab) => tab === path) ?? "statistics",
    window: parseWindow(params.get("w") ?? ""),
    chosen: (params.get("s") ?? "")
      .split(",")
      .map(Number)
      .filter((id) => Number.isInteger(id) && id > 0)
      .slice(0, MOST_CHOSEN),
    run: Number.isInteger(run) && run > 0 ? run : null,
  };
}

function parseWindow(text: string): Window {
  if (text === "reset" || text === "last") return { kind: text };
  const generation = /^g(\d+)$/.exec(text);
  if (generation) return { kind: "generation", n: Number(generation[1]) };
  const sides = /^([\d@:/gen-]+)~([\d@:/gen-]+)$/.exec(text);
  if (sides) return { kind: "compare", a: sides[1]!, b: sides[2]! };
  const range = /^(\d+)-(\d+)$/.exec(text);
  if (range && Number(range[1]) < Number(range[2])) {
    return { kind: "range", from: Number(range[1]), to: Number(range[2]) };
  }
  return { kind: "whole" };
}

export function format(route: Route): string {
  const parts: string[] = [];
  const window = formatWindow(route.window);
  if (window) parts.push(`w=${window}`);
  if (route.chosen.length > 0) parts.push(`s=${route.chosen.join(",")}`);
  if (route.run !== null) parts.push(`run=${route.run}`);
  return `#${route.tab}${parts.length > 0 ? `?${parts.join("&")}` : ""}`;
}

function formatWindow(window: Window): string {
  switch (window.kind) {
    case "whole":
      return "";
    case "range":
      return `${window.from}-${window.to}`;
    case "generation":
      return `g${window.n}`;
    case "compare":
      return `${window.a}~${window.b}`;
    default:
      return window.kind;
  }
}

export const route = signal<Route>(parse(location.hash));

addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

/** The address of the page as it is, with some of it changed. */
export function link(change: Partial<Route>): string {
  return format({ ...route.value, ...change });
}

/** Goes there. Only tabs and runs become steps of the Back button; brushing would flood it. */
export function go(change: Partial<Route>): void {
  const next = { ...route.value, ...change };
  const isStep = next.tab !== route.value.tab || next.run !== route.value.run;
  history[isStep ? "pushState" : "replaceState"](null, "", format(next));
  route.value = next;
}
