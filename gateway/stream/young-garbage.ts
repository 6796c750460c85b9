/** Carried bytes after which their buffers are collected. */
const COLLECT_EVERY_BYTES = 4 * 1024 * 1024;

/**
 * Has the buffers of carried bytes collected while they are young. V8 counts
 * them as memory outside its heap, and answers too much of it with a marking of
 * the whole heap (tens of MiB, the fewer the smaller the heap; several times a
 * second in a bulk flow), long before the few objects that refer to them fill
 * the young generation (docs/adr/0011).
 */
export class YoungGarbage {
  readonly #collect: (() => void) | undefined;
  #bytes = 0;

  /** `collect` collects the young generation; when undefined, V8 alone decides. */
  constructor(collect: (() => void) | undefined) {
    this.#collect = collect;
  }

  /** Notes that so many bytes were carried. */
  readonly add = (bytes: number): void => {
    this.#bytes += bytes;
    if (this.#bytes < COLLECT_EVERY_BYTES) return;
    this.#bytes = 0;
    this.#collect?.();
  };
}
