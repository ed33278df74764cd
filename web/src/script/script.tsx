/** The Script tab: files, findings, parameters, generations. Read only: the editor is elsewhere. */

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import type { ScriptFiles } from "../api.ts";
import { FindingView } from "../finding.tsx";
import { localTime } from "../format.ts";
import { order } from "../header/steer.tsx";
import type { Run } from "../store/run.ts";
import { source } from "../store/source.ts";
import { Code } from "./code.tsx";
import { changedLines } from "./diff.ts";
import { Generations } from "./generations.tsx";
import { wanted } from "./place.ts";

/** The generation that is read; null for the newest. */
export const reading = signal<number | null>(null);

export function ScriptTab({ run }: { run: Run }) {
  const [files, setFiles] = useState<ScriptFiles | null>(null);
  const [before, setBefore] = useState<ScriptFiles | null>(null);
  const [trouble, setTrouble] = useState("");
  const [open, setOpen] = useState(0);
  const newest = run.generations[run.generations.length - 1]?.n ?? 1;
  // A script with a mistake is shown as it is now, since that is what its findings are about.
  const isEdited = reading.value === null && (!run.script.is_ok || run.generations.length === 0);
  const number = isEdited ? null : (reading.value ?? newest);

  useEffect(() => {
    let isOld = false;
    const fetchAll = async () => {
      const now = await source().script(run.run, number);
      const previous =
        number === null ? run.generations[run.generations.length - 1]?.n : number - 1;
      const older = previous
        ? await source()
            .script(run.run, previous)
            .catch(() => null)
        : null;
      if (isOld) return;
      setFiles(now);
      setBefore(older);
      setTrouble("");
    };
    fetchAll().catch((error: unknown) => {
      if (!isOld) setTrouble(error instanceof Error ? error.message : String(error));
    });
    return () => {
      isOld = true;
    };
  }, [number, run.script.hash, run.run]);

  const goal = wanted.value;
  useEffect(() => {
    const at = files?.files.findIndex((one) => one.path === goal?.path) ?? -1;
    if (at >= 0) setOpen(at);
  }, [files, goal]);

  const file = files?.files[Math.min(open, (files?.files.length ?? 1) - 1)];
  const findings = number === null ? run.script.findings : (files?.findings ?? []);
  const old = before?.files.find((one) => one.path === file?.path);
  return (
    <div class="script">
      <aside>
        <Generations run={run} number={number} />
        {files && files.params.length > 0 && (
          <section>
            <h2>Parameters</h2>
            <dl class="params">
              {files.params.map((param) => (
                <div key={param.name}>
                  <dt>{param.name}</dt>
                  <dd>
                    <code>{param.value}</code>
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        )}
        {source().isLive && (
          <p class="muted">
            {run.script.is_watched ? "Watched; " : ""}checked {localTime(run.script.checked_at_us)}{" "}
            <button
              type="button"
              class="link"
              onClick={() => void order("POST", "run/reload", {}, "looked at the files")}
            >
              look again
            </button>
          </p>
        )}
      </aside>
      <div class="script-main">
        {findings.length > 0 && (
          <section class="findings" aria-label="Findings">
            {findings.map((finding) => (
              <FindingView
                key={`${finding.file}:${finding.line}:${finding.column} ${finding.message}`}
                finding={finding}
              />
            ))}
          </section>
        )}
        {(files?.files.length ?? 0) > 1 && (
          <p class="segments files-choice">
            {files?.files.map((one, at) => (
              <button
                type="button"
                key={one.path}
                aria-pressed={one === file}
                onClick={() => setOpen(at)}
              >
                {one.path}
              </button>
            ))}
          </p>
        )}
        {file ? (
          <Code
            file={file}
            findings={findings.filter((finding) => finding.file === file.path)}
            changed={old ? changedLines(old.text, file.text) : new Set()}
          />
        ) : (
          <p class="empty">{trouble || "…"}</p>
        )}
      </div>
    </div>
  );
}
