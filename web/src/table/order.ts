/** Which rows the table shows, and in which order. */

import { signal } from "@preact/signals";
import type { Name, Row } from "../api.ts";
import type { Latency } from "../store/series.ts";
import type { View } from "../store/view.ts";
import { COLUMNS } from "./columns.ts";

export interface Entry {
  row: Row;
  name: Name;
}

/** A null key is by name, the order in which a person looks for one. */
export const sorting = signal<{ key: string | null; isDown: boolean }>({ key: null, isDown: true });

/** First click: greatest first; second: least first; third: by name again. */
export function sortBy(key: string | null): void {
  const { key: before, isDown } = sorting.value;
  if (key === null || before !== key) sorting.value = { key, isDown: true };
  else sorting.value = isDown ? { key, isDown: false } : { key: null, isDown: true };
}

const byName = (a: Entry, b: Entry): number =>
  a.name[3].localeCompare(b.name[3]) || a.name[2].localeCompare(b.name[2]);

/** Rows of requests and rows of groups, which are not in the total, searched and sorted. */
export function ordered(
  view: View,
  search: string,
  latency: Latency,
): { requests: Entry[]; groups: Entry[] } {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const entries: Entry[] = [];
  for (const row of view.rows.values()) {
    const id = row[0]!;
    // A row whose name has not come is still a row: its number stands for it until then.
    const name: Name = view.names.get(id) ?? [id, "", "", `#${id}`];
    if (name[1] === "total" || id === 0) continue;
    const text = `${name[2]} ${name[3]}`.toLowerCase();
    if (words.every((word) => text.includes(word))) entries.push({ row, name });
  }
  const { key, isDown } = sorting.value;
  const column = COLUMNS.find((one) => one.key === key);
  const compare = column
    ? (a: Entry, b: Entry) =>
        (column.value(a.row, latency) - column.value(b.row, latency)) * (isDown ? -1 : 1) ||
        byName(a, b)
    : byName;
  entries.sort(compare);
  return {
    requests: entries.filter((entry) => entry.name[1] !== "group"),
    groups: entries.filter((entry) => entry.name[1] === "group"),
  };
}

/** `entries` in the order of `ids`, new ones last: nothing moves from under the pointer. */
export function heldStill(entries: Entry[], ids: readonly number[]): Entry[] {
  const place = new Map(ids.map((id, at) => [id, at]));
  const at = (entry: Entry) => place.get(entry.name[0]) ?? ids.length;
  return [...entries].sort((a, b) => at(a) - at(b));
}
