/** The report's source: everything is in the page itself, gzipped; nothing can be changed. */

import type { Comparison, Ratio, ScriptFiles, Side, Slot, Snapshot } from "../api.ts";
import { type Part, partOf } from "./rows.ts";
import { put, type Series } from "./series.ts";
import { Refused, type Source } from "./source.ts";

/** What the server puts into the page. */
interface Embedded {
  snapshot: Snapshot;
  /** Histories of the names, as far as they fitted. */
  series: Record<string, Slot[]>;
  document?: { version?: string };
  theme?: "light" | "dark";
  /** Each generation's files, if they were asked for. */
  scripts?: Pick<ScriptFiles, "generation" | "files">[] | null;
  ratio?: Ratio;
}

/** Unpacks the data block of the page. */
export async function unpack(base64: string): Promise<Embedded> {
  const text = atob(base64.trim());
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text()) as Embedded;
}

function missing(what: string): Refused {
  return new Refused({ title: "not in this report", status: 404, detail: what });
}

export function embedded(data: Embedded): Source {
  const { snapshot } = data;
  const histories = new Map<number, Series>([[0, put([], snapshot.slots)]]);
  for (const [id, slots] of Object.entries(data.series)) {
    if (id !== "0") histories.set(Number(id), put([], slots));
  }
  const end = snapshot.seconds.from + snapshot.seconds.requests.length;
  const part = (from: number, to: number): Part => partOf(histories, snapshot.names, from, to);

  /** A side of a comparison: a generation, or a window of this run. */
  const side = (name: string): Side => {
    const generation = /\/gen:(\d+)$/.exec(name);
    const { seconds } = snapshot;
    if (generation) {
      const n = Number(generation[1]);
      const own = snapshot.by_generation.find((one) => one.first <= n && n <= one.last);
      if (!own) throw missing(`generation ${n} has no rows in this report`);
      return { label: name, rows: own.rows, intervals: own.intervals, seconds };
    }
    const range = /@(\d+)-(\d+)$/.exec(name);
    const { rows, intervals } = part(Number(range?.[1] ?? 0), Number(range?.[2] ?? end));
    return { label: name, rows, intervals, seconds };
  };

  return {
    isLive: false,
    info: async () => ({
      version: data.document?.version ?? "",
      instance: snapshot.instance,
      script: snapshot.script.path,
      is_read_only: true,
      is_demo: false,
      needs_token: false,
      has_ui: true,
      base_path: "",
    }),
    snapshot: async () => snapshot,
    timeline: async (_run, ids) => Object.fromEntries(ids.map((id) => [id, data.series[id] ?? []])),
    window: async (_run, from, to) => ({
      ...part(from, to),
      step: 1,
      names: snapshot.names,
      paused_s: 0,
    }),
    compare: async (a, b): Promise<Comparison> => ({
      a: side(a),
      b: side(b),
      names: snapshot.names,
    }),
    runs: async () => [],
    ratio: async () => {
      if (!data.ratio) throw missing("the ratio of tasks is not in this report");
      return data.ratio;
    },
    form: async () => {
      throw missing("a report starts nothing");
    },
    script: async (_run, generation) => {
      const made = data.scripts?.find((one) => one.generation === generation);
      if (!made) throw missing("the script is not in this report");
      return { ...made, findings: [], params: [] };
    },
    logs: async () => snapshot.log,
    check: async () => {
      throw missing("a report starts nothing");
    },
    send: async () => {
      throw missing("a report changes nothing");
    },
  };
}
