/** A field for each parameter of the script, by its type, and what is wrong with the value in it. */

import type { Param } from "../api.ts";

export type ParamValues = Record<string, string | undefined>;

interface Props {
  params: Param[];
  values: ParamValues;
  /** The parameter that is refused, and why. */
  wrong?: { param: string; message: string } | null;
  /** Without a value a parameter is as it was. */
  onChange: (name: string, value: string | undefined) => void;
}

interface ControlProps {
  param: Param;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

export function ParamFields({ params, values, wrong, onChange }: Props) {
  return (
    <div class="fields two">
      {params.map((param) => {
        const message = wrong?.param === param.name ? wrong.message : null;
        const classes = ["field"];
        if (param.type === "bool") classes.push("check");
        if (message) classes.push("wrong");
        // Several boxes have no label in common.
        const Frame = param.type === "choices" ? "fieldset" : "label";
        const Name = param.type === "choices" ? "legend" : "span";
        return (
          <Frame class={classes.join(" ")} key={param.name}>
            <Name class="field-label">
              {param.name}
              {param.is_required && <b title="required"> *</b>} <Help param={param} />
            </Name>
            <Control
              param={param}
              value={values[param.name]}
              onChange={(value) => onChange(param.name, value)}
            />
            {message && (
              <span class="field-wrong" role="alert">
                {message}
              </span>
            )}
          </Frame>
        );
      })}
    </div>
  );
}

function Help({ param }: { param: Param }) {
  const text = [param.help, param.type === "list" && "with commas"].filter(Boolean).join(", ");
  return text ? <small>{text}</small> : null;
}

function Control({ param, value, onChange }: ControlProps) {
  const now = value ?? param.value ?? param.default;
  if (param.type === "bool") {
    return (
      <input
        type="checkbox"
        checked={now === "true"}
        onChange={(event) => onChange(String(event.currentTarget.checked))}
      />
    );
  }
  if (param.type === "choice") {
    return (
      <select value={now} onChange={(event) => onChange(event.currentTarget.value)}>
        {param.choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  return param.type === "choices" ? (
    <Boxes param={param} now={now} onChange={onChange} />
  ) : (
    <Typed param={param} value={value} onChange={onChange} />
  );
}

/** Several of some choices. */
function Boxes({ param, now, onChange }: Omit<ControlProps, "value"> & { now: string }) {
  const chosen = now.split(",").map((one) => one.trim());
  const set = (choice: string, isOn: boolean) => {
    const next = param.choices.filter((one) => (one === choice ? isOn : chosen.includes(one)));
    onChange(next.join(","));
  };
  return (
    <span class="field-boxes">
      {param.choices.map((choice) => (
        <label key={choice}>
          <input
            type="checkbox"
            checked={chosen.includes(choice)}
            onChange={(event) => set(choice, event.currentTarget.checked)}
          />{" "}
          {choice}
        </label>
      ))}
    </span>
  );
}

const MODES: Partial<Record<Param["type"], "numeric" | "decimal">> = {
  integer: "numeric",
  number: "decimal",
};

function Typed({ param, value, onChange }: ControlProps) {
  const mode = MODES[param.type];
  return (
    <input
      {...(param.is_secret ? { type: "password" as const } : { type: "text" as const })}
      inputMode={mode ?? "text"}
      autocomplete={param.is_secret ? "new-password" : "off"}
      required={param.is_required && !param.is_given}
      placeholder={param.is_secret ? (param.is_given ? "set" : "") : param.default}
      value={value ?? param.value ?? ""}
      onInput={(event) => {
        const text = event.currentTarget.value;
        // An empty field of numbers is one without a value.
        onChange(mode && text.trim() === "" && param.value === null ? undefined : text);
      }}
    />
  );
}
