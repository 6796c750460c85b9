/** Control characters, line ends, and marks that turn the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\u{2028}\u{2029}\u{200E}\u{200F}\u{202A}-\u{202E}\u{2066}-\u{2069}]/gu;

/** Text that may hold what a provider wrote, as one line that shows nothing else than it says. */
export function plainText(text: string): string {
  return text.toWellFormed().replaceAll(UNPRINTABLE, "\u{FFFD}");
}
