/** Major, minor and patch of a version such as `0.2.0`, `v1.2.3-rc.1`; undefined for what is none. */
function numbersOf(version: string): readonly number[] | undefined {
  const match = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+].*)?$/.exec(version);
  return match?.slice(1).map(Number);
}

function isPreRelease(version: string): boolean {
  return /^v?[\d.]+-/.test(version);
}

/**
 * Whether one version comes before another, by the numbers and, where these
 * are the same, a pre-release before its release (semver.org, 11). A version
 * that cannot be read comes before nothing.
 */
export function isBefore(version: string, other: string): boolean {
  const [left, right] = [numbersOf(version), numbersOf(other)];
  if (left === undefined || right === undefined) return false;
  for (const [index, number] of left.entries()) {
    const against = right[index] ?? 0;
    if (number !== against) return number < against;
  }
  return isPreRelease(version) && !isPreRelease(other);
}
