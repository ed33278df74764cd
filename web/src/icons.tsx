/** The few icons the page needs, as 16×16 strokes. */

const PATHS = {
  close: "M4 4l8 8M12 4l-8 8",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 6.5v6",
  image: "M2.5 3.5h11v9h-11zM3 11l3-3 2.5 2.5L10.5 8l3 3",
  sun: "M8 5.2a2.8 2.8 0 100 5.6 2.8 2.8 0 000-5.6zM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M12.6 3.4l-1.1 1.1M4.5 11.5l-1.1 1.1",
  moon: "M13 9.6A5.4 5.4 0 016.4 3 5.4 5.4 0 1013 9.6z",
  auto: "M8 2.5a5.5 5.5 0 100 11zM8 2.5a5.5 5.5 0 010 11",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  down: "M4 6.5l4 4 4-4",
  search: "M7 2.8a4.2 4.2 0 100 8.4 4.2 4.2 0 000-8.4zM10.2 10.2l3.3 3.3",
  columns: "M2.5 3.5h11v9h-11zM6.2 3.5v9M9.8 3.5v9",
  help: "M6 6.2a2 2 0 113 1.7c-.7.4-1 .8-1 1.6M8 11.8v.2",
  note: "M10.8 2.8l2.4 2.4-7.6 7.6-3 .6.6-3z",
  stop: "M4 4h8v8H4z",
  pause: "M5.5 4v8M10.5 4v8",
  play: "M5 3.5l7 4.5-7 4.5z",
  check: "M3.5 8.5l3 3 6-7",
  download: "M8 2.5v8M4.8 7.5L8 10.7l3.2-3.2M3 13.5h10",
  warn: "M8 2.5l6 10.5H2zM8 6.5v3M8 11.2v.3",
} as const;

export type IconName = keyof typeof PATHS;

/** Decoration unless it has a label of its own. */
export function Icon({ name, label }: { name: IconName; label?: string }) {
  return (
    <>
      <svg class="svg" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <path d={PATHS[name]} />
      </svg>
      {label && <span class="sr">{label}</span>}
    </>
  );
}

/** The mark of the program: a leaf-winged insect, as few lines as it takes. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
      <path
        class="wing"
        d="M3 15.5C6.5 8 13 4.8 21 5c-.3 7.6-5.2 12.2-12.6 12.2-2.2 0-4.2-.6-5.4-1.7z"
      />
      <path class="vein" d="M3 15.5C8.5 13.8 14 10.5 21 5M9.4 13.3l-.6 3.9M13 11.2l1.4 4.6" />
    </svg>
  );
}
