/** The log-in, which says nothing about script or host. */

import { useState } from "preact/hooks";
import { Logo } from "./icons.tsx";
import { begin } from "./store/live.ts";
import { connection } from "./store/signals.ts";
import { Refused, source } from "./store/source.ts";

/** A link in the log carries the token as a fragment: it reaches no server, log or Referer. */
export async function loginByLink(): Promise<void> {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (token === undefined) return;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    await source().send("POST", "login", { token: decodeURIComponent(token) });
  } catch {
    // A wrong token shows the log-in, as soon as something else is asked for.
  }
}

export function Login() {
  const [token, setToken] = useState("");
  const [trouble, setTrouble] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await source().send("POST", "login", { token: token.trim() });
      connection.value = { kind: "connecting" };
      await begin();
    } catch (error) {
      setTrouble(words(error));
    }
  };
  return (
    <main class="login">
      <form onSubmit={(event) => void submit(event)}>
        <h1>
          <Logo /> Katydid
        </h1>
        <label>
          Token
          <input
            type="password"
            autocomplete="current-password"
            autofocus
            value={token}
            aria-invalid={trouble !== ""}
            aria-describedby="login-words"
            onInput={(event) => {
              setToken(event.currentTarget.value);
              setTrouble("");
            }}
          />
        </label>
        <p id="login-words" class={trouble ? "bad" : "muted"} role={trouble ? "alert" : undefined}>
          {trouble || "The token is in Katydid's log, as a link."}
        </p>
        <button type="submit" class="primary" disabled={token.trim() === ""}>
          Log in
        </button>
      </form>
    </main>
  );
}

function words(error: unknown): string {
  if (error instanceof Refused && error.problem.status === 401) return "That is not the token.";
  if (error instanceof Refused && error.problem.status === 429) {
    return "Too many wrong tokens. Try again in a minute.";
  }
  return error instanceof Error ? error.message : String(error);
}
