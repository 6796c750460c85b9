import { CliError, toCliError } from "./cli-error.ts";

/** Something that a view would show and could not read. */
export interface NotRead {
  /** Such as `metrics of pod isthmus-controller-0`. */
  readonly what: string;
  readonly why: string;
}

/** What a view could not read: it shows the rest, and says so. */
export class ReadingGaps {
  readonly #gaps: NotRead[] = [];
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** In the order of what they are about. */
  get list(): readonly NotRead[] {
    return this.#gaps.toSorted((a, b) => (a.what < b.what ? -1 : 1));
  }

  /**
   * What `reading` gives, or `otherwise` and a gap when it fails.
   * @throws the signal's reason when it aborted; a CliError, which is an answer and no failure to get one.
   */
  async orElse<T>(what: string, reading: Promise<T>, otherwise: T): Promise<T> {
    try {
      return await reading;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof CliError) throw error;
      this.add(what, toCliError(error).message);
      return otherwise;
    }
  }

  add(what: string, why: string): void {
    this.#gaps.push({ what, why });
  }
}
