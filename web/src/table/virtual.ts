/** Only the rows in sight are in the document: 5,000 names cost no more than 40. */

import { useLayoutEffect, useState } from "preact/hooks";

/** Rows beyond the edges that are there already when one scrolls. */
const SPARE = 8;

export interface Slice {
  first: number;
  last: number;
  above: number;
  below: number;
}

export function useVirtual(
  scroller: { current: HTMLElement | null },
  count: number,
  height: number,
): Slice {
  const [seen, setSeen] = useState({ top: 0, height: 600 });
  const [isPrinted, setPrinted] = useState(false);
  useLayoutEffect(() => {
    // Paper does not scroll: it gets all rows.
    const print = matchMedia("print");
    const look = () => setPrinted(print.matches);
    print.addEventListener("change", look);
    return () => print.removeEventListener("change", look);
  }, []);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const look = () => setSeen({ top: element.scrollTop, height: element.clientHeight });
    look();
    element.addEventListener("scroll", look, { passive: true });
    const watch = new ResizeObserver(look);
    watch.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      watch.disconnect();
    };
  }, []);
  if (isPrinted) return { first: 0, last: count, above: 0, below: 0 };
  const first = Math.max(0, Math.min(count, Math.floor(seen.top / height)) - SPARE);
  const last = Math.min(count, Math.ceil((seen.top + seen.height) / height) + SPARE);
  return { first, last, above: first * height, below: (count - last) * height };
}
