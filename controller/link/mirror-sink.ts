/** What the links need of the mirrors. */
export interface MirrorSink {
  enqueueService(linkName: string, serviceKey: string): void;
  enqueueLink(linkName: string): void;
  tally(linkName: string): { mirrored: number; skipped: number };
  onTally(listener: (linkName: string) => void): () => void;
  /** Whether any object of ours of that link is left. */
  hasObjects(linkName: string): boolean;
}
