/** Control characters, line ends, and marks that turn the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\u{2028}\u{2029}\u{200E}\u{200F}\u{202A}-\u{202E}\u{2066}-\u{2069}]/gu;

/** Text that may hold what a provider wrote, as one line that shows nothing else than it says. */
export function plainText(text: string): string {
  return text.toWellFormed().replaceAll(UNPRINTABLE, "\u{FFFD}");
}

/** So many items are named in a message. */
const MAX_LISTED = 5;
const MAX_ITEM_CHARS = 100;

/** The first few of them, as they may be shown, and how many more there are. */
export function listed(items: readonly string[]): string {
  const shown = items
    .slice(0, MAX_LISTED)
    .map((item) => plainText(item.slice(0, MAX_ITEM_CHARS)))
    .join(", ");
  const more = items.length - MAX_LISTED;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
