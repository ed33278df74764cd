/** The tabs: links, so that they can be opened, shared and gone back from. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { showFocused } from "./scroll.tsx";
import { go, link, route, TABS, type Tab } from "./store/route.ts";
import type { Run } from "./store/run.ts";
import { fleet, isSilent } from "./store/workers.ts";

const HEADS: Record<Tab, string> = {
  statistics: "Statistics",
  charts: "Charts",
  failures: "Failures",
  exceptions: "Exceptions",
  checks: "Checks",
  workers: "Workers",
  ratio: "Ratio",
  script: "Script",
  logs: "Logs",
  download: "Download",
};

/** Tabs that have something to show: Checks and Workers only where there are any. */
export function shownTabs(run: Run): Tab[] {
  const hasChecks = run.checks.length + run.counters.length + run.metrics.length > 0;
  const hasWorkers = run.workers.length > 0;
  const isEmpty = (tab: Tab) =>
    (tab === "checks" && !hasChecks) || (tab === "workers" && !hasWorkers);
  return TABS.filter((tab) => !isEmpty(tab) || route.value.tab === tab);
}

function badge(tab: Tab, run: Run): { text: string; tone: string } | null {
  const total = (rows: { count: number }[]) => rows.reduce((sum, row) => sum + row.count, 0);
  switch (tab) {
    case "failures":
      return run.errors.length > 0 ? { text: short(total(run.errors)), tone: "bad" } : null;
    case "exceptions":
      return run.exceptions.length > 0 ? { text: short(total(run.exceptions)), tone: "bad" } : null;
    case "checks": {
      const fails = run.checks.reduce((sum, row) => sum + row.fails, 0);
      return fails > 0 ? { text: short(fails), tone: "bad" } : null;
    }
    case "workers": {
      const { there, troubled } = fleet(run.workers);
      const tone = troubled.some(isSilent) ? "bad" : "warn";
      if (troubled.length > 0) return { text: short(troubled.length), tone };
      return there > 0 ? { text: short(there), tone: "" } : null;
    }
    case "script": {
      const newest = run.generations[run.generations.length - 1]?.n ?? 1;
      if (!run.script.is_ok) return { text: "!", tone: "warn" };
      return newest > 1 ? { text: `g${newest}`, tone: "" } : null;
    }
    case "logs": {
      const warned = run.log.filter((line) => line.level !== "info").length;
      return warned > 0 ? { text: short(warned), tone: "warn" } : null;
    }
    default:
      return null;
  }
}

function short(count: number): string {
  if (count < 10_000) return count.toLocaleString("en-US");
  return count < 1e6 ? `${Math.floor(count / 1e3)}k` : `${(count / 1e6).toFixed(1)}M`;
}

export function Tabs({ run }: { run: Run }) {
  const { tab: current } = route.value;
  const nav = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    // Only sideways: scrollIntoView would move the page as well.
    const [bar, own] = [nav.current, nav.current?.querySelector<HTMLElement>("[aria-current]")];
    if (bar && own) bar.scrollLeft = own.offsetLeft - (bar.clientWidth - own.offsetWidth) / 2;
  }, [current]);
  return (
    <nav class="tabs" aria-label="Views" ref={nav} onFocusIn={showFocused}>
      {shownTabs(run).map((tab) => {
        const count = badge(tab, run);
        return (
          <a
            key={tab}
            href={`./${link({ tab })}`}
            aria-current={tab === current ? "page" : undefined}
            onClick={(event) => {
              if (event.metaKey || event.ctrlKey) return;
              event.preventDefault();
              go({ tab });
            }}
          >
            {HEADS[tab]}
            {count && <span class={`badge ${count.tone}`}>{count.text}</span>}
          </a>
        );
      })}
    </nav>
  );
}
