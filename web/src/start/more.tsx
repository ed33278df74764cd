/** What most runs leave as it is: iterations, stop timeout, tags, seed, label. */

import type { Form, Wish } from "../api.ts";
import { Field, OptionalNumber } from "./fields.tsx";

export function More({
  form,
  wish,
  change,
}: {
  form: Form;
  wish: Wish;
  change: (part: Partial<Wish>) => void;
}) {
  const list = (text: string) => text.split(/[\s,]+/).filter(Boolean);
  return (
    <details>
      <summary>
        More <small>iterations, stop timeout, tags, seed, label</small>
      </summary>
      <div class="fields two">
        <Field label="Label">
          <input
            type="text"
            value={wish.label ?? ""}
            onInput={(event) => change({ label: event.currentTarget.value })}
          />
        </Field>
        <Field label="Iterations" unit="over all users">
          <OptionalNumber
            value={wish.iterations ?? undefined}
            placeholder="no limit"
            onChange={(iterations) => change({ iterations })}
          />
        </Field>
        <Field label="Stop timeout" unit="for running tasks">
          <input
            type="text"
            placeholder="0"
            value={wish.stop_timeout ?? ""}
            onInput={(event) => change({ stop_timeout: event.currentTarget.value.trim() || null })}
          />
        </Field>
        <Field label="Seed">
          <OptionalNumber
            value={wish.seed ?? undefined}
            placeholder="a new one"
            onChange={(seed) => change({ seed })}
          />
        </Field>
        <Field label="Only tags" unit={form.tags.join(", ")}>
          <input
            type="text"
            value={(wish.tags ?? []).join(" ")}
            onChange={(event) => change({ tags: list(event.currentTarget.value) })}
          />
        </Field>
        <Field label="Without tags">
          <input
            type="text"
            value={(wish.exclude_tags ?? []).join(" ")}
            onChange={(event) => change({ exclude_tags: list(event.currentTarget.value) })}
          />
        </Field>
      </div>
    </details>
  );
}
