/** Fields of the form: a label, a unit, and what is wrong with the value below it. */

import type { ComponentChildren } from "preact";

interface FieldProps {
  label: string;
  unit?: string;
  wrong?: { message: string; hint: string | null } | null;
  children: ComponentChildren;
}

export function Field({ label, unit, wrong, children }: FieldProps) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children
    <label class={wrong ? "field wrong" : "field"}>
      <span class="field-label">
        {label} {unit && <small>{unit}</small>}
      </span>
      {children}
      {wrong && (
        <span class="field-wrong" role="alert">
          {wrong.message} {wrong.hint && <span class="muted">{wrong.hint}</span>}
        </span>
      )}
    </label>
  );
}

export function FieldRow({ children }: { children: ComponentChildren }) {
  return <div class="field-row">{children}</div>;
}

interface NumberProps {
  value: number | null | undefined;
  placeholder?: string;
  autofocus?: boolean;
  onChange: (value: number | null) => void;
}

/** A number that may be left out. A text field, since number fields hide what they cannot read. */
export function OptionalNumber({ value, placeholder, autofocus, onChange }: NumberProps) {
  return (
    <input
      type="text"
      inputMode="decimal"
      class="short"
      autocomplete="off"
      autofocus={autofocus}
      placeholder={placeholder}
      onFocus={(event) => event.currentTarget.select()}
      defaultValue={value == null ? "" : String(value)}
      onInput={(event) => {
        const text = event.currentTarget.value.trim().replace(/_/g, "");
        // What is no number goes to the server as it is not: -1 is refused there, in its words.
        const number = text === "" ? null : Number(text);
        onChange(number !== null && Number.isNaN(number) ? -1 : number);
      }}
    />
  );
}
