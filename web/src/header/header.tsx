/** The first line: state, time, script and host, and what can be done. */

import type { State } from "../api.ts";
import { clock, shortPath } from "../format.ts";
import { Icon, Logo } from "../icons.tsx";
import { Runs } from "../runs.tsx";
import type { Run } from "../store/run.ts";
import { current, dialog, info, setTheme, type Theme, theme } from "../store/signals.ts";
import { source } from "../store/source.ts";
import { Steer } from "./steer.tsx";

const WORDS: Record<State, string> = {
  ready: "ready",
  starting: "starting",
  setting_up: "setting up",
  spawning: "spawning",
  running: "running",
  paused: "paused",
  stopping: "stopping",
  stopped: "stopped",
  failed: "failed",
};

export function stateWord(state: State): string {
  return WORDS[state] ?? state;
}

export function Header({ run }: { run: Run }) {
  const head = run.head;
  const script = head?.script ?? run.script.path;
  const host = head?.host ?? "";
  const isLooking = run.run !== current.value?.run;
  return (
    <header class="top">
      <Logo />
      <h1 class="brand wide-only">Katydid</h1>
      <p class={`state state-${run.state}`}>
        <i class="dot" />
        <span aria-live="polite">
          <b>{stateWord(run.state)}</b>
        </span>
        {run.run !== null && <time>{clock(run.t)}</time>}
        {run.ends_s !== null && run.ends_s > 0 && <span class="ends">/ {clock(run.ends_s)}</span>}
        {head?.why && head.why !== stateWord(run.state) && <span class="why">{head.why}</span>}
      </p>
      <p class="what" title={`${script} → ${host}`}>
        {head?.label && <b>{head.label}</b>}
        <span>{shortPath(script)}</span>
        {host && <span class="host">→ {host}</span>}
      </p>
      <span class="spring" />
      {source().isLive && run.run !== null && !isLooking && <Steer run={run} />}
      <Menu />
    </header>
  );
}

export function Menu() {
  return (
    <div class="menu">
      <Runs />
      <ThemeSwitch />
      <button type="button" class="icon" title="Keys (?)" onClick={() => (dialog.value = "keys")}>
        <Icon name="help" label="Keys" />
      </button>
    </div>
  );
}

const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };

export function ThemeSwitch() {
  const now = theme.value;
  const name = now === "auto" ? "auto" : now === "light" ? "sun" : "moon";
  const words = now === "auto" ? "as the system" : now;
  return (
    <button
      type="button"
      class="icon"
      title={`Colours: ${words}`}
      onClick={() => setTheme(NEXT[now])}
    >
      <Icon name={name} label={`Colours: ${words}; change`} />
    </button>
  );
}

/** The form's header: the same line without a run. */
export function FormHeader({ run }: { run: Run }) {
  return (
    <header class="top">
      <Logo />
      <p class="state state-ready">
        <b class="brand">Katydid</b>
        <span class="muted">{info.value?.version}</span>
      </p>
      <p class="what" title={run.script.path}>
        <span>{shortPath(run.script.path)}</span>
        <span class="muted">{stateWord(run.state)}</span>
      </p>
      <span class="spring" />
      <Menu />
    </header>
  );
}
