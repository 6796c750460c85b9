/**
 * Something that runs until it is told to stop. `start` resolves once it is
 * under way and rejects when it cannot be; work goes on until `signal` aborts
 * or `stop` is called. `stop` is idempotent and resolves when nothing is left
 * running.
 */
export interface Startable {
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}
