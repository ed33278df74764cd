/** The statistics table: total pinned on top, virtual rows, sorting, names that go on the charts. */

import { useRef, useState } from "preact/hooks";
import type { Row } from "../api.ts";
import { NAME_LINES } from "../charts/palette.ts";
import { MOST_CHOSEN, route } from "../store/route.ts";
import type { Latency } from "../store/series.ts";
import { isRunning, latency, search } from "../store/signals.ts";
import { toggleChosen, type View } from "../store/view.ts";
import { COLUMNS, type Column, visible } from "./columns.ts";
import { type Entry, heldStill, ordered, sortBy, sorting } from "./order.ts";
import { useVirtual } from "./virtual.ts";

const ROW_PX = 28;

type Item = { kind: "row"; entry: Entry } | { kind: "heading"; text: string };

/** The rows of a view; without `columns` those that the reader has chosen. */
export function Grid({ view, columns: own }: { view: View; columns?: Column[] }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [isHeld, setHeld] = useState(false);
  const still = useRef<{ asked: string; ids: number[] } | null>(null);
  const columns = own ?? COLUMNS.filter((column) => visible.value.includes(column.key));
  const now = latency.value;
  const { requests, groups } = ordered(view, search.value, now);
  // Sorting or searching anew makes a new order, which is held in its turn.
  const asked = JSON.stringify([sorting.value, search.value]);
  if (!isHeld) still.current = null;
  else if (still.current?.asked !== asked) {
    still.current = { asked, ids: requests.map((entry) => entry.name[0]) };
  }
  const rows = still.current ? heldStill(requests, still.current.ids) : requests;
  const items: Item[] = rows.map((entry) => ({ kind: "row", entry }));
  if (groups.length > 0) {
    items.push({ kind: "heading", text: "Groups: several requests in one time, not in the total" });
    for (const entry of groups) items.push({ kind: "row", entry });
  }
  const slice = useVirtual(scroller, items.length, ROW_PX);
  const total = view.rows.get(0);
  const span = columns.length + 2;

  return (
    <div
      class={view.isWaiting ? "grid waiting" : "grid"}
      ref={scroller}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocusIn={(event) => {
        if (event.target instanceof Element && event.target.matches(":focus-visible"))
          setHeld(true);
      }}
      onFocusOut={() => setHeld(false)}
    >
      <table aria-rowcount={items.length + 1}>
        <Head
          columns={columns}
          total={total}
          onSort={() => {
            requestAnimationFrame(() => scroller.current?.scrollTo({ top: 0 }));
          }}
        />
        <tbody>
          <Spacer height={slice.above} span={span} />
          {items.slice(slice.first, slice.last).map((item) =>
            item.kind === "heading" ? (
              <tr class="heading" key="groups">
                <th colSpan={span} scope="colgroup">
                  {item.text}
                </th>
              </tr>
            ) : (
              <DataRow
                key={item.entry.name[0]}
                entry={item.entry}
                columns={columns}
                latency={now}
              />
            ),
          )}
          <Spacer height={slice.below} span={span} />
        </tbody>
      </table>
      {items.length === 0 && <p class="empty">{emptyWords(view)}</p>}
    </div>
  );
}

function emptyWords(view: View): string {
  if (search.value && view.rows.size > 1) return `no name has “${search.value}”`;
  if (view.isWaiting) return "the window's rows are on their way";
  return isRunning.value ? "no request yet" : "no request in this window";
}

interface HeadProps {
  columns: Column[];
  total: Row | undefined;
  onSort: () => void;
}

/** The heads and, pinned with them, the total. */
function Head({ columns, total, onSort }: HeadProps) {
  const { key, isDown } = sorting.value;
  const sort = (next: string | null) => {
    sortBy(next);
    onSort();
  };
  const state = (own: string | null) =>
    own === key ? (own !== null && isDown ? "descending" : "ascending") : undefined;
  return (
    <thead>
      <tr>
        <th scope="col" class="kind">
          Type
        </th>
        <th scope="col" class="name" aria-sort={state(null)}>
          <button type="button" onClick={() => sort(null)}>
            Name
          </button>
        </th>
        {columns.map((column) => (
          <th scope="col" class="num" key={column.key} aria-sort={state(column.key)}>
            <button type="button" title={column.title} onClick={() => sort(column.key)}>
              {column.head} {column.unit && <small>{column.unit}</small>}
            </button>
          </th>
        ))}
      </tr>
      <tr class="total">
        <td class="kind" />
        <th scope="row">Aggregated</th>
        {columns.map((column) => (
          <Cell key={column.key} column={column} row={total} latency={latency.value} />
        ))}
      </tr>
    </thead>
  );
}

function DataRow({
  entry: { row, name },
  columns,
  latency: now,
}: {
  entry: Entry;
  columns: Column[];
  latency: Latency;
}) {
  const id = name[0];
  const at = route.value.chosen.indexOf(id);
  return (
    <tr class={at >= 0 ? "chosen" : undefined}>
      <td class="kind">{name[1] === "http" ? name[2] : name[1]}</td>
      <th scope="row" class="name">
        <button
          type="button"
          title={`${name[2]} ${name[3]}`}
          aria-pressed={at >= 0}
          onClick={() => toggleChosen(id, MOST_CHOSEN)}
        >
          {at >= 0 && <i class={`swatch bg-${NAME_LINES[at % NAME_LINES.length]!.colour}`} />}
          {name[3]}
        </button>
      </th>
      {columns.map((column) => (
        <Cell key={column.key} column={column} row={row} latency={now} />
      ))}
    </tr>
  );
}

function Cell({
  column,
  row,
  latency: now,
}: {
  column: Column;
  row: number[] | undefined;
  latency: Latency;
}) {
  const isBad = column.isFailure && row && column.value(row, now) > 0;
  const isZero = row && column.value(row, now) === 0;
  return (
    <td class={`num${isBad ? " bad" : ""}${isZero ? " zero" : ""}`}>
      {row ? column.text(row, now) : "–"}
    </td>
  );
}

/** Stands for the rows that are out of sight. */
function Spacer({ height, span }: { height: number; span: number }) {
  if (height <= 0) return null;
  return (
    <tr
      aria-hidden="true"
      ref={(element) => {
        if (element) element.style.height = `${height}px`;
      }}
    >
      <td colSpan={span} />
    </tr>
  );
}
