/** A field for each parameter of the script, by its type. */

import type { Param } from "../api.ts";

interface Props {
  params: Param[];
  values: Record<string, string>;
  onChange: (name: string, value: string) => void;
}

export function ParamFields({ params, values, onChange }: Props) {
  return (
    <div class="fields two">
      {params.map((param) => (
        // biome-ignore lint/a11y/noLabelWithoutControl: Control renders it
        <label class={param.type === "bool" ? "field check" : "field"} key={param.name}>
          <span class="field-label">
            {param.name}
            {param.is_required && <b title="required"> *</b>}{" "}
            {param.help && <small>{param.help}</small>}
          </span>
          <Control
            param={param}
            value={values[param.name]}
            onChange={(value) => onChange(param.name, value)}
          />
        </label>
      ))}
    </div>
  );
}

function Control({
  param,
  value,
  onChange,
}: {
  param: Param;
  value: string | undefined;
  onChange: (value: string) => void;
}) {
  const now = value ?? param.value ?? "";
  if (param.type === "bool") {
    return (
      <input
        type="checkbox"
        checked={(value ?? param.value ?? param.default) === "true"}
        onChange={(event) => onChange(String(event.currentTarget.checked))}
      />
    );
  }
  if (param.type === "choice") {
    return (
      <select
        value={value ?? param.value ?? param.default}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {param.choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  return (
    <input
      {...(param.is_secret ? { type: "password" as const } : { type: "text" as const })}
      inputMode={param.type === "number" ? "decimal" : "text"}
      autocomplete={param.is_secret ? "new-password" : "off"}
      required={param.is_required && !param.is_given}
      placeholder={param.is_secret ? (param.is_given ? "set" : "") : param.default}
      value={now}
      onInput={(event) => onChange(event.currentTarget.value)}
    />
  );
}
