/**
 * The signal that asks this process to end, once it has come. Imported before
 * everything else: as process 1 of its container it would never hear of a
 * signal that comes while the rest is being loaded, and its pod would take the
 * whole grace period to go.
 */
export const terminated: Promise<NodeJS.Signals> = new Promise((resolve) => {
  process.once("SIGTERM", resolve);
  process.once("SIGINT", resolve);
});
