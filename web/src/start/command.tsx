/** The same run as a command line, to copy into a pipeline. */

import { Icon } from "../icons.tsx";
import { say } from "../store/signals.ts";

export function Command({ text }: { text: string }) {
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => say("copied"),
      () => say("the browser does not let the page copy; mark the line instead", true),
    );
  return (
    <p class="command">
      <code>{text}</code>
      <button type="button" class="icon" title="Copy" onClick={() => void copy()}>
        <Icon name="copy" label="Copy the command line" />
      </button>
    </p>
  );
}
