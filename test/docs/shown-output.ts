import type { ShownLine } from "./console-blocks.ts";

/** Stands for any text within a line, and alone for any lines. */
const ANYTHING = "…";

/**
 * The first line that a page shows and the command did not print, in that order; undefined when all were printed. What
 * was printed between them does not matter, nor how wide the gaps within a line are.
 */
export function missingLine(shown: readonly ShownLine[], output: string): ShownLine | undefined {
  const printed = output.split("\n").map(withoutGaps);
  let next = 0;
  return shown.find(({ text }) => {
    const wanted = withoutGaps(text);
    if (wanted === "" || wanted === ANYTHING) return false;
    const found = printed.findIndex((line, index) => index >= next && isLike(wanted, line));
    next = found + 1;
    return found === -1;
  });
}

function withoutGaps(line: string): string {
  return line.trim().replaceAll(/\s+/g, " ");
}

/** Whether a line is what is wanted, with any text in place of each {@link ANYTHING}. */
function isLike(wanted: string, line: string): boolean {
  const [first = "", ...others] = wanted.split(ANYTHING);
  const last = others.pop();
  if (last === undefined) return line === wanted;
  if (!line.startsWith(first) || !line.endsWith(last)) return false;
  let from = first.length;
  for (const part of others) {
    const found = line.indexOf(part, from);
    if (found === -1) return false;
    from = found + part.length;
  }
  return from <= line.length - last.length;
}
