/** A finding as rustc prints it: place, source line, caret under the right characters, hint. */

import type { Finding } from "./api.ts";

export function FindingView({ finding }: { finding: Finding }) {
  const { file, line, column, width, source } = finding;
  const place = line > 0 ? `${file}:${line}${column > 0 ? `:${column}` : ""}` : file;
  return (
    <div class={`finding ${finding.severity}`}>
      <p>
        <b>{finding.severity}</b>: {inCode(finding.message)} <code class="place">{place}</code>
      </p>
      {source !== null && line > 0 && (
        <pre>
          <span class="gutter">{line} │ </span>
          {source}
          {"\n"}
          <span class="gutter">{" ".repeat(String(line).length)} │ </span>
          <span class="caret">
            {/* The line's own tabs keep their width, so that the caret stands below its character. */}
            {[...source.slice(0, Math.max(0, column - 1))].map(blank).join("")}
            {"^".repeat(Math.max(1, width))}
          </span>
        </pre>
      )}
      {finding.hint && <p class="hint">hint: {inCode(finding.hint)}</p>}
    </div>
  );
}

/** Wide characters take two columns in most code fonts, and so does the blank below them. */
function blank(character: string): string {
  if (character === "\t") return "\t";
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/.test(
    character,
  )
    ? "\u3000"
    : " ";
}

/** What stands in backticks, as code. */
function inCode(text: string) {
  return text
    .split("`")
    .map((part, at) => (at % 2 === 1 ? <code key={`${at}${part}`}>{part}</code> : part));
}
