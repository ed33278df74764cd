/** A native dialog: the browser keeps the focus inside and closes it on Esc. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./icons.tsx";

interface Props {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = element.current!;
    if (!dialog.open) dialog.showModal();
    // Else the browser takes the first it finds, which closes what was just opened.
    dialog.querySelector<HTMLElement>(".field input")?.focus();
    return () => dialog.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc closes a modal dialog by itself
    <dialog
      ref={element}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => event.target === element.current && onClose()}
    >
      <header class="dialog-head">
        <h2>{title}</h2>
        <button type="button" class="icon" onClick={onClose}>
          <Icon name="close" label="Close" />
        </button>
      </header>
      {children}
    </dialog>
  );
}
