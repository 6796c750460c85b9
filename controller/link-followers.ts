import type { FailoverController } from "./failover/failover.ts";
import type { MirrorSink } from "./link/mirror-sink.ts";
import type { MirrorController } from "./mirror/mirror.ts";

/** Who acts on what a link's watcher tells: failover first, so that it has left before a mirror goes. */
export class LinkFollowers implements MirrorSink {
  readonly #mirrors: MirrorController;
  readonly #failovers: FailoverController;

  constructor(mirrors: MirrorController, failovers: FailoverController) {
    this.#mirrors = mirrors;
    this.#failovers = failovers;
  }

  enqueueService(linkName: string, serviceKey: string): void {
    this.#mirrors.enqueueService(linkName, serviceKey);
  }

  enqueueLink(linkName: string): void {
    this.#failovers.enqueueLink(linkName);
    this.#mirrors.enqueueLink(linkName);
  }

  tally(linkName: string): { mirrored: number; skipped: number } {
    return this.#mirrors.tally(linkName);
  }

  onTally(listener: (linkName: string) => void): () => void {
    return this.#mirrors.onTally(listener);
  }

  hasObjects(linkName: string): boolean {
    return this.#mirrors.hasObjects(linkName) || this.#failovers.hasObjects(linkName);
  }
}
