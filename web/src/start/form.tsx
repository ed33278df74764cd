/** The start form: what is asked for, checked while it is typed. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Form, Preview, ScriptState, Wish } from "../api.ts";
import { FindingView } from "../finding.tsx";
import { localTime, rate, share, shortPath } from "../format.ts";
import { Icon } from "../icons.tsx";
import { refreshRuns } from "../store/live.ts";
import { go } from "../store/route.ts";
import type { Run } from "../store/run.ts";
import { current, info, isFormOpen, runs, say } from "../store/signals.ts";
import { Refused, source } from "../store/source.ts";
import { Classes, ShareBars } from "./classes.tsx";
import { Command } from "./command.tsx";
import { Field, FieldRow, OptionalNumber } from "./fields.tsx";
import { More } from "./more.tsx";
import { ParamFields } from "./params.tsx";
import { PlanPreview } from "./plan.tsx";

/** What typing pauses for before it is checked. */
const PAUSE_MS = 250;

interface Trouble {
  field: string | null;
  param: string | null;
  message: string;
  hint: string | null;
}

function troubleOf(error: unknown): Trouble {
  if (error instanceof Refused) {
    const { problem } = error;
    // A value that only the script can judge comes back as a finding in the script.
    const finding = problem.findings?.[0];
    if (finding) return { field: null, param: null, message: finding.message, hint: null };
    const { field = null, param = null, hint = null } = problem;
    return { field, param, message: error.message, hint };
  }
  return {
    field: null,
    param: null,
    message: error instanceof Error ? error.message : String(error),
    hint: null,
  };
}

/** The checks of a wish, one at a time and only the newest. */
function useCheck(wish: Wish, form: Form) {
  const [preview, setPreview] = useState<Preview | null>(form.preview);
  const [trouble, setTrouble] = useState<Trouble | null>(form.refusal);
  const round = useRef(0);
  const text = JSON.stringify(wish);
  useEffect(() => {
    const mine = ++round.current;
    const timer = setTimeout(() => {
      source()
        .check(JSON.parse(text) as Wish)
        .then(
          (found) => {
            if (mine !== round.current) return;
            setPreview(found);
            setTrouble(null);
          },
          (error: unknown) => {
            if (mine === round.current) setTrouble(troubleOf(error));
          },
        );
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, form.script.hash]);
  return { preview, trouble, setTrouble };
}

/** What a new run is waited for; beyond it the page shows what it has. */
const ARRIVAL_MS = 2000;

/** Until the page knows of that run. The run before would stand there for a moment otherwise. */
async function arrival(run: number): Promise<void> {
  let stop = () => {};
  await new Promise<void>((done) => {
    stop = current.subscribe((now) => {
      if ((now?.run ?? 0) >= run) done();
    });
    setTimeout(done, ARRIVAL_MS);
  });
  stop();
}

export function StartForm({ run }: { run: Run }) {
  const { form } = run;
  // Only what a person changed is sent; the rest follows the script and the last run.
  const [changes, setChanges] = useState<Wish>({});
  const wish: Wish = { ...form.wish, ...changes };
  const [isSending, setIsSending] = useState(false);
  const [isParamsOpen, setIsParamsOpen] = useState(
    form.params.some((param) => param.is_required && !param.is_given),
  );
  const { preview, trouble, setTrouble } = useCheck(changes, form);
  const change = (part: Partial<Wish>) => setChanges({ ...changes, ...part });
  const isBroken = !run.script.is_ok;
  const isReadOnly = info.value?.is_read_only ?? false;
  const byShape = form.shape !== "none" && (wish.use_shape ?? true);
  const wrong = (field: string) => (trouble?.field === field ? trouble : null);
  const wrongParam = trouble?.param ? { param: trouble.param, message: trouble.message } : null;
  const knownFields = ["users", "spawn_rate", "host", "run_time"];

  const submit = async (event: Event) => {
    event.preventDefault();
    setIsSending(true);
    try {
      const made = (await source().send("POST", "runs", changes)) as { run: number };
      await arrival(made.run);
      isFormOpen.value = false;
      go({ tab: "statistics", window: { kind: "whole" }, chosen: [], run: null });
      void refreshRuns();
    } catch (error) {
      const found = troubleOf(error);
      setTrouble(found);
      say(found.message, true);
    }
    setIsSending(false);
  };

  return (
    <form class="start" onSubmit={(event) => void submit(event)}>
      <section class="start-wish">
        <h1>New run</h1>
        {form.shape !== "none" && (
          <p class="segments">
            <button
              type="button"
              aria-pressed={byShape}
              onClick={() => change({ use_shape: true })}
            >
              The script's shape
            </button>
            <button
              type="button"
              aria-pressed={!byShape}
              onClick={() => change({ use_shape: false })}
            >
              Users and ramp
            </button>
          </p>
        )}
        {!byShape && (
          <FieldRow>
            <Field label="Users" wrong={wrong("users")}>
              <OptionalNumber
                value={wish.users}
                autofocus
                onChange={(users) => change({ users: users ?? undefined })}
              />
            </Field>
            <Field label="Ramp up" unit="users a second" wrong={wrong("spawn_rate")}>
              <OptionalNumber
                value={wish.spawn_rate}
                onChange={(spawn_rate) => change({ spawn_rate: spawn_rate ?? undefined })}
              />
            </Field>
          </FieldRow>
        )}
        <Field label="Host" wrong={wrong("host")}>
          <input
            type="text"
            inputMode="url"
            spellcheck={false}
            placeholder="as the script says"
            value={wish.host ?? ""}
            onInput={(event) => change({ host: event.currentTarget.value.trim() || null })}
          />
        </Field>
        <Field label="Run time" unit="90, 10m, 1h30m" wrong={wrong("run_time")}>
          <input
            type="text"
            class="short"
            placeholder="until stopped"
            value={wish.run_time ?? ""}
            onInput={(event) => change({ run_time: event.currentTarget.value.trim() || null })}
          />
        </Field>
        {form.params.length > 0 && (
          <details
            open={isParamsOpen || wrongParam !== null}
            onToggle={(event) => setIsParamsOpen(event.currentTarget.open)}
          >
            <summary>
              Script parameters <small>{paramWords(form, changes)}</small>
            </summary>
            <ParamFields
              params={form.params}
              values={changes.params ?? {}}
              wrong={wrongParam}
              onChange={(name, value) => change({ params: { ...changes.params, [name]: value } })}
            />
          </details>
        )}
        <details>
          <summary>
            User classes and tasks{" "}
            <small>
              {wish.classes?.length
                ? `${wish.classes.length} of ${form.classes.length}`
                : `all ${form.classes.length}`}
            </small>
          </summary>
          <Classes
            classes={form.classes}
            chosen={wish.classes ?? []}
            onChange={(classes) => change({ classes })}
          />
        </details>
        <More form={form} wish={wish} change={change} />
        {trouble && !wrongParam && !knownFields.includes(trouble.field ?? "") && !isBroken && (
          <p class="bad" role="alert">
            {trouble.field && <b>{trouble.field}: </b>}
            {trouble.message} {trouble.hint && <span class="muted">{trouble.hint}</span>}
          </p>
        )}
        <p class="start-go">
          <button
            type="submit"
            class="primary big"
            disabled={isBroken || isReadOnly || isSending || trouble !== null}
          >
            {isSending ? "Starting" : "Start"} <kbd>⏎</kbd>
          </button>
          {isBroken && <span class="muted">mend the script first: no reload is needed</span>}
          {isReadOnly && <span class="muted">this server is read only</span>}
        </p>
        {preview && <Command text={preview.command} />}
      </section>
      <aside class="start-side">
        {isBroken ? (
          <Mistakes script={run.script} />
        ) : (
          <>
            <h2>
              <Icon name="check" /> {shortPath(form.script.path)}{" "}
              <small>
                checked {localTime(form.script.checked_at_us)}
                {form.script.is_watched && ", watched"}
              </small>
            </h2>
            <ShareBars classes={form.classes} chosen={wish.classes ?? []} />
            {preview && <PlanPreview preview={preview} />}
            <LastRun />
          </>
        )}
      </aside>
    </form>
  );
}

function paramWords(form: Form, changes: Wish): string {
  const set = form.params
    .filter((param) => !param.is_secret && (changes.params?.[param.name] ?? param.value) !== null)
    .map((param) => `${param.name}=${changes.params?.[param.name] ?? param.value}`);
  return set.length > 0 ? set.join("  ") : String(form.params.length);
}

function Mistakes({ script }: { script: ScriptState }) {
  return (
    <div class="mistakes" role="alert">
      <h2 class="warn">{shortPath(script.path)} cannot run yet</h2>
      {script.findings.map((finding) => (
        <FindingView
          key={`${finding.file}:${finding.line}:${finding.column} ${finding.message}`}
          finding={finding}
        />
      ))}
    </div>
  );
}

function LastRun() {
  const last = runs.value[runs.value.length - 1];
  if (!last) return null;
  return (
    <p class="last-run muted">
      last run{last.epoch_us === null ? "" : ` ${localTime(last.epoch_us)}`}: {rate(last.rps)}{" "}
      req/s, {share(last.failures, last.requests)} failed{" "}
      <button
        type="button"
        class="link"
        onClick={() => {
          isFormOpen.value = false;
          go({ run: last.run });
        }}
      >
        show
      </button>
    </p>
  );
}
