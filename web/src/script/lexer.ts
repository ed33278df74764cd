/**
 * Colours for a script. Not a parser: it knows comments, texts, numbers,
 * keywords and what is called, which is all that colours need.
 */

export type Token = [line: number, column: number, length: number, kind: string];

const PARTS = [
  "(?<comment>//[^\\n]*|/\\*[\\s\\S]*?(?:\\*/|$))",
  "(?<string>\"(?:[^\"\\\\]|\\\\[\\s\\S])*\"?|'(?:[^'\\\\]|\\\\.)+'|`[^`]*`?)",
  "(?<keyword>\\b(?:as|break|catch|const|continue|do|else|export|false|fn|for|if|import|in|let|loop|private|return|switch|this|throw|true|try|until|while)\\b)",
  "(?<number>\\b\\d[\\d_]*(?:\\.\\d+)?(?:[eE][+-]?\\d+)?\\b|\\b0x[\\da-fA-F_]+\\b)",
  "(?<function>\\b[A-Za-z_]\\w*(?=\\())",
  "(?<operator>[-+*/%=<>!&|^]+)",
];

export function tokens(text: string): Token[] {
  const found: Token[] = [];
  let [line, lineStart, at] = [1, 0, 0];
  for (const match of text.matchAll(new RegExp(PARTS.join("|"), "g"))) {
    for (; at < match.index; at++) {
      if (text[at] === "\n") [line, lineStart] = [line + 1, at + 1];
    }
    const kind = Object.entries(match.groups ?? {}).find(([, part]) => part !== undefined)?.[0];
    if (!kind) continue;
    // What goes over several lines is a token on each of them.
    const parts = match[0].split("\n");
    const column = [...text.slice(lineStart, match.index)].length + 1;
    parts.forEach((part, nth) => {
      if (part) found.push([line + nth, nth === 0 ? column : 1, [...part].length, kind]);
    });
  }
  return found;
}
