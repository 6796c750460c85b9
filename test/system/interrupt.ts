/**
 * A signal that aborts on the first SIGINT or SIGTERM, so that what was made can be taken down. Further signals are
 * left unheard: cleaning up is short, and half of it helps nobody.
 */
export function untilInterrupted(): { signal: AbortSignal } {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => controller.abort(new Error(`interrupted by ${name}`)));
  }
  return { signal: controller.signal };
}
