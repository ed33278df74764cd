/** A place in the script that somebody wants to see. */

import { signal } from "@preact/signals";
import { go } from "../store/route.ts";

export interface Place {
  path: string;
  line: number;
}

export const wanted = signal<Place | null>(null);

/** Shows `path:line:column`, or just the script if it says no more. */
export function showPlace(location: string): void {
  const place = /^(.+?):(\d+)(?::\d+)?$/.exec(location);
  wanted.value = place ? { path: place[1]!, line: Number(place[2]) } : null;
  go({ tab: "script" });
  // A report has no tabs, but this part further down.
  document.getElementById("part-script")?.scrollIntoView();
}
