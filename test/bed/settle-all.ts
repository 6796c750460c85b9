/**
 * Waits until every task has ended, and only then fails with the first error: what is still starting must not start
 * anything more once the bed is being swept.
 */
export async function settleAll<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(tasks);
  return Promise.all(tasks);
}
