/** A file with line numbers and colours. */

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Finding, ScriptFiles } from "../api.ts";
import { tokens as lex, type Token } from "./lexer.ts";
import { wanted } from "./place.ts";

type File = ScriptFiles["files"][number];

interface Props {
  file: File;
  findings: Finding[];
  /** Lines (from 1) that the generation before does not have. */
  changed: ReadonlySet<number>;
}

export function Code({ file, findings, changed }: Props) {
  const lines = file.text.replace(/\n$/, "").split("\n");
  const tokens = new Map<number, Token[]>();
  for (const token of lex(file.text)) {
    const list = tokens.get(token[0]);
    if (list) list.push(token);
    else tokens.set(token[0], [token]);
  }
  const list = useRef<HTMLOListElement>(null);
  const goal = wanted.value?.path === file.path ? wanted.value.line : null;
  useLayoutEffect(() => {
    if (goal !== null) list.current?.children[goal - 1]?.scrollIntoView({ block: "center" });
  }, [goal, file]);
  const bad = new Set(findings.map((finding) => finding.line));
  return (
    <div class="scroll code" tabIndex={0} role="region" aria-label={file.path}>
      <ol ref={list}>
        {lines.map((line, at) => {
          const number = at + 1;
          const tone =
            number === goal
              ? "goal-line"
              : bad.has(number)
                ? "bad-line"
                : changed.has(number)
                  ? "new-line"
                  : undefined;
          return (
            <li key={number} class={tone}>
              <code>{coloured(line, tokens.get(number) ?? [])}</code>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

/** Columns of tokens are characters from 1; whatever is between them stays plain. */
function coloured(line: string, tokens: Token[]) {
  if (tokens.length === 0) return line || " ";
  const characters = [...line];
  const parts = [];
  let at = 0;
  for (const [, column, length, kind] of tokens) {
    const from = column - 1;
    // Tokens that overlap or lie beyond the line would repeat text.
    if (from < at || from >= characters.length) continue;
    if (from > at) parts.push(characters.slice(at, from).join(""));
    at = Math.min(characters.length, from + length);
    parts.push(
      <span key={from} class={`t-${kind}`}>
        {characters.slice(from, at).join("")}
      </span>,
    );
  }
  parts.push(characters.slice(at).join(""));
  return parts;
}
