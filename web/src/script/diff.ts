/** Which lines are new against the version before, by the longest common subsequence. */

/** Beyond so many lines on a side (after equal ends are cut off) all of them count as new. */
const MOST_LINES = 2000;

export function changedLines(before: string, after: string): Set<number> {
  const [a, b] = [before.split("\n"), after.split("\n")];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (
    tail < a.length - head &&
    tail < b.length - head &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  ) {
    tail++;
  }
  const [old, now] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  const kept = old.length > MOST_LINES || now.length > MOST_LINES ? new Set() : common(old, now);
  const changed = new Set<number>();
  now.forEach((_, at) => {
    if (!kept.has(at)) changed.add(head + at + 1);
  });
  return changed;
}

/** Places in `b` of lines that `a` has too, in order. */
function common(a: string[], b: string[]): Set<number> {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        a[i] === b[j]
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  const kept = new Set<number>();
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      kept.add(j);
      i++;
      j++;
    } else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) i++;
    else j++;
  }
  return kept;
}
