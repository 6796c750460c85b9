import type { Secret } from "../../../api/objects.ts";

/** A piece of a secret that is found anywhere has at least this many characters. */
const MIN_PIECE_CHARS = 12;
/** Shorter values are looked for nowhere: they would be found everywhere. */
const MIN_VALUE_CHARS = 8;
/** Pieces are found by windows of this length: every piece holds one that begins at a multiple of it. */
const WINDOW_CHARS = 6;

const MARK = "[redacted: of a Secret]";

/** Runs of the characters of tokens, keys and base64; what has no capital, small letter and digit is a name. */
const RUN = /[A-Za-z0-9+/_=-]{12,}/g;

/** What is in Secrets and is no secret: URLs without a user, times, numbers, names of objects. */
const PUBLIC = /^(https?:\/\/[^@]*|\d{4}-\d\d-\d\dT[\d:.Z+-]+|\d+|[a-z][a-z-]*)$/;

/**
 * Knows the values of Secrets and finds them, and pieces of them of 12 characters and more, in any text: as they are,
 * and as base64. Pure.
 */
export class KnownSecrets {
  readonly #values: string[] = [];
  readonly #sources: string[] = [];
  /** By window, where it is in which source. */
  readonly #windows = new Map<string, [source: number, offset: number][]>();

  constructor(secrets: readonly Secret[]) {
    for (const { data = {} } of secrets) {
      for (const base64 of Object.values(data)) this.#learn(base64);
    }
    // A value that holds another is replaced first.
    this.#values.sort((one, other) => other.length - one.length);
  }

  /** The text with a mark in place of everything that is of a Secret. */
  scrub(text: string): string {
    let scrubbed = text;
    for (const value of this.#values) {
      if (scrubbed.includes(value)) scrubbed = scrubbed.replaceAll(value, MARK);
    }
    return this.#windows.size === 0 ? scrubbed : this.#scrubPieces(scrubbed);
  }

  #learn(base64: string): void {
    const value = Buffer.from(base64, "base64").toString("utf8");
    const isOneLine = !value.trim().includes("\n");
    if (isOneLine && value.trim().length >= MIN_VALUE_CHARS && !PUBLIC.test(value.trim())) {
      this.#values.push(value.trim());
    }
    this.#learnPieces(base64);
    for (const [run] of value.matchAll(RUN)) {
      if (/[A-Z]/.test(run) && /[a-z]/.test(run) && /\d/.test(run)) this.#learnPieces(run);
    }
  }

  #learnPieces(source: string): void {
    if (source.length < MIN_PIECE_CHARS) return;
    const index = this.#sources.push(source) - 1;
    for (let offset = 0; offset + WINDOW_CHARS <= source.length; offset += 1) {
      const window = source.slice(offset, offset + WINDOW_CHARS);
      const places = this.#windows.get(window);
      if (places === undefined) this.#windows.set(window, [[index, offset]]);
      else places.push([index, offset]);
    }
  }

  #scrubPieces(text: string): string {
    const kept: string[] = [];
    let keptTo = 0;
    for (let at = 0; at + WINDOW_CHARS <= text.length; at += WINDOW_CHARS) {
      if (at < keptTo) continue;
      const places = this.#windows.get(text.slice(at, at + WINDOW_CHARS));
      const piece = places && this.#longestPiece(text, at, { places, from: keptTo });
      if (piece === undefined) continue;
      kept.push(text.slice(keptTo, piece.from), MARK);
      keptTo = piece.to;
    }
    kept.push(text.slice(keptTo));
    return kept.join("");
  }

  /** How far what is around `at` is that of a source, if it is long enough to be no chance. */
  #longestPiece(
    text: string,
    at: number,
    { places, from }: { places: readonly [number, number][]; from: number },
  ): { from: number; to: number } | undefined {
    let longest: { from: number; to: number } | undefined;
    for (const [index, offset] of places) {
      const source = this.#sources[index] ?? "";
      let before = 0;
      while (
        at - before > from &&
        offset - before > 0 &&
        text[at - before - 1] === source[offset - before - 1]
      ) {
        before += 1;
      }
      let after = WINDOW_CHARS;
      while (
        offset + after < source.length &&
        at + after < text.length &&
        text[at + after] === source[offset + after]
      ) {
        after += 1;
      }
      const length = before + after;
      if (length < MIN_PIECE_CHARS) continue;
      if (longest === undefined || length > longest.to - longest.from) {
        longest = { from: at - before, to: at + after };
      }
    }
    return longest;
  }
}
