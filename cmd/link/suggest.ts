const MAX_DISTANCE = 3;
/** A name shares more than this part of its letters with what was meant. */
const MIN_SIMILARITY = 0.4;

/**
 * The known names that are closest to one that is not known, for `did you mean`;
 * none when nothing is close. A name that holds what was given counts as close.
 */
function similarNames(given: string, known: Iterable<string>): string[] {
  const names = [...new Set(known)];
  const holding = names.filter((name) => given.length > 2 && name.includes(given));
  const ranked = names.map((name) => ({ name, distance: editDistance(given, name) }));
  const close = ranked.filter(({ name, distance }) => {
    const length = Math.max(given.length, name.length);
    return distance <= MAX_DISTANCE && (length - distance) / length > MIN_SIMILARITY;
  });
  const best = Math.min(...close.map(({ distance }) => distance));
  const nearest = close.filter(({ distance }) => distance === best).map(({ name }) => name);
  return [...new Set([...nearest, ...holding])].toSorted();
}

/** A question such as `did you mean west or rest?`; undefined when no known name is close. */
export function didYouMean(given: string, known: Iterable<string>): string | undefined {
  const names = similarNames(given, known);
  return names.length === 0 ? undefined : `did you mean ${names.join(" or ")}?`;
}

/** Letters to insert, drop, replace or swap with their neighbour (optimal string alignment). */
function editDistance(left: string, right: string): number {
  // One of the two differs by more letters than count at all.
  if (Math.abs(left.length - right.length) > MAX_DISTANCE) return MAX_DISTANCE + 1;
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= left.length; row++) {
    rows.push([row]);
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      rows[row]?.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + (same ? 0 : 1),
          swapped ? at(row - 2, column - 2) + 1 : Infinity,
        ),
      );
    }
  }
  return at(left.length, right.length);
}
