/** An area that scrolls, and that keys reach: a focus inside it lets arrows move it. */

import type { ComponentChildren } from "preact";

export function Scroll(props: { label: string; class?: string; children: ComponentChildren }) {
  return (
    <section class={`scroll ${props.class ?? ""}`} tabIndex={0} aria-label={props.label}>
      {props.children}
    </section>
  );
}

/** For bars that scroll sideways: browsers leave what gets the focus half out of sight. */
export function showFocused(event: FocusEvent): void {
  if (event.target instanceof Element)
    event.target.scrollIntoView({ block: "nearest", inline: "nearest" });
}
