import type { Provider } from "../bed/bed.ts";
import { link } from "../system/link-command.ts";
import { installEverywhere, startSystem, type System } from "../system/system.ts";
import type { Printer } from "./printer.ts";

/** What every job of the demo is given. */
export interface JobOptions {
  readonly printer: Printer;
  readonly signal: AbortSignal;
  readonly provider: Provider;
  readonly detached: boolean;
  /** Told as soon as there is something to take down. */
  onUp(system: System): void;
}

type Step = <T>(
  text: string,
  action: () => Promise<T>,
  detail?: (value: T) => string,
) => Promise<T>;

/** Steps that are not begun after an interruption, each told with what it yielded. */
export function stepsOf({ printer, signal }: JobOptions): Step {
  return (text, action, detail) =>
    printer.step(text, async () => {
      signal.throwIfAborted();
      const value = await action();
      return { value, ...(detail === undefined ? {} : { detail: detail(value) }) };
    });
}

/** Brings up west and east, with Isthmus in both and east joined to west. */
export async function bringUpTwoClusters(options: JobOptions): Promise<System> {
  const { printer, signal, provider, detached } = options;
  const step = stepsOf(options);
  printer.heading("Two clusters");
  const system = await printer.step("west and east are up, a node each", async (progress) => {
    const value = await startSystem({ provider, signal, detached, onProgress: progress });
    options.onUp(value);
    return { value };
  });
  await step("link install, in both", () => installEverywhere(system));
  await step("link join west --context east, until Ready", () =>
    link(system.bed, "join", "west", "--context", "east"),
  );
  return system;
}
