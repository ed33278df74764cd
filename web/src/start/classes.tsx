/** The user classes: which of them run, and their shares. */

import type { ClassInfo } from "../api.ts";
import { Bar } from "../bar.tsx";
import { plural } from "../format.ts";
import { Scroll } from "../scroll.tsx";

interface Props {
  classes: ClassInfo[];
  /** Names; empty for all. */
  chosen: string[];
  onChange: (chosen: string[]) => void;
}

export function Classes({ classes, chosen, onChange }: Props) {
  const isOn = (name: string) => chosen.length === 0 || chosen.includes(name);
  const set = (name: string, on: boolean) => {
    const next = classes.map((one) => one.name).filter((one) => (one === name ? on : isOn(one)));
    if (next.length > 0) onChange(next.length === classes.length ? [] : next);
  };
  return (
    <Scroll label="User classes">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">
              <span class="sr">Runs</span>
            </th>
            <th scope="col">Class</th>
            <th scope="col" class="num">
              Weight
            </th>
            <th scope="col">Wait</th>
            <th scope="col">Tasks</th>
          </tr>
        </thead>
        <tbody>
          {classes.map((one) => (
            <tr key={one.name}>
              <td>
                <input
                  type="checkbox"
                  aria-label={`Run ${one.name}`}
                  checked={isOn(one.name)}
                  onChange={(event) => set(one.name, event.currentTarget.checked)}
                />
              </td>
              <th scope="row">{one.name}</th>
              <td class="num">
                {one.fixed_count === null ? one.weight : `${one.fixed_count} fixed`}
              </td>
              <td>{one.wait}</td>
              <td class="break">
                {one.tasks.map((task) => `${task.name} ${task.weight}`).join(", ")}
                {one.host && <small> → {one.host}</small>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** Shares of the chosen classes, as bars. With a choice they are those of the chosen ones. */
export function ShareBars({ classes, chosen }: { classes: ClassInfo[]; chosen: string[] }) {
  const shown = classes.filter((one) => chosen.length === 0 || chosen.includes(one.name));
  const total = shown.reduce((sum, one) => sum + one.share, 0) || 1;
  return (
    <ul class="shares">
      {shown.map((one) => (
        <li key={one.name}>
          <span>{one.name}</span>
          <Bar share={one.share / total} />
          <b>{Math.round((one.share / total) * 100)} %</b>
          <small>{plural(one.tasks.length, "task")}</small>
        </li>
      ))}
    </ul>
  );
}
