import type { Clock, Random } from "../../../api/clock.ts";
import type { Condition } from "../../../api/conditions.ts";
import type { Link, LinkStatus } from "../../../api/link.ts";
import { CONTROLLER_FIELD_MANAGER } from "../../../api/names.ts";
import { apiVersionOf, RESOURCES } from "../../../api/resources.ts";
import { backoffDelayMs } from "../../../kube/backoff.ts";
import { NotSentError } from "../../../kube/client/api-error.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import type { EventRecorder } from "../../../kube/events.ts";
import type { Logger } from "../../../kube/logger.ts";
import { type LinkMetrics, showCondition } from "../../metrics.ts";
import { planStatus, sameStatus, type StatusInputs } from "./link-status.ts";
import { WriteDamper } from "./write-damper.ts";

const STATUS_FIELD_MANAGER = `${CONTROLLER_FIELD_MANAGER}-status`;
const RETRY = { baseMs: 100, maxMs: 1_000 };

interface Written {
  readonly uid: string | undefined;
  status: LinkStatus;
  /**
   * Of our last write, until the cache has it: older copies tell nothing
   * before, and everything after, when they are from a restored backup.
   */
  resourceVersion: string | undefined;
  readonly damper: WriteDamper;
  /** Of writing, in a row. */
  failures: number;
}

/** Writes the status of Links, only where it changed, and tells of every transition once. */
export class LinkStatusWriter {
  readonly #options: {
    client: KubeClient;
    clock: Clock;
    random: Random;
    events: EventRecorder;
    metrics: LinkMetrics;
  };
  /** What the API server holds, as far as we know: the cache lags behind our own writes. */
  readonly #written = new Map<string, Written>();

  constructor(options: {
    client: KubeClient;
    clock: Clock;
    random: Random;
    events: EventRecorder;
    metrics: LinkMetrics;
  }) {
    this.#options = options;
  }

  /**
   * Makes the Link's status what the inputs say. Returns after how long to call
   * again when a write was put off or has failed, in milliseconds: a link that
   * closes closes by this write, so it is tried again soon, whatever the error.
   *
   * @throws NotSentError when this replica does not lead, or the signal's reason
   */
  async write(
    link: Link,
    inputs: StatusInputs,
    context: { logger: Logger; signal: AbortSignal },
  ): Promise<number | undefined> {
    const { clock, random, metrics } = this.#options;
    const { name } = link.metadata;
    const known = this.#known(link);
    const plan = planStatus(known.status, inputs);
    for (const condition of plan.status.conditions ?? []) showCondition(metrics, name, condition);
    if (hasCaughtUp(link, known)) known.resourceVersion = undefined;
    const isCurrent = known.resourceVersion === undefined;
    const drifted = isCurrent && !sameStatus(link.status ?? {}, known.status);
    if (plan.change === "none" && !drifted) return undefined;
    // Whoever else writes our status is not fought either.
    const change = plan.change === "none" ? "conditions" : plan.change;
    const waitMs = known.damper.waitMs(change, clock.nowMs());
    if (waitMs > 0) return waitMs;

    let written: Link;
    try {
      written = await this.#apply(link, plan.status, context.signal);
    } catch (error) {
      if (context.signal.aborted || error instanceof NotSentError) throw error;
      known.failures += 1;
      const retryAfterMs = backoffDelayMs(known.failures, RETRY, random);
      context.logger.warn({ err: error, retryAfterMs }, "status not written, retrying");
      return retryAfterMs;
    }
    known.failures = 0;
    metrics.statusWrites.inc({ link: name });
    known.status = plan.status;
    known.resourceVersion = written.metadata.resourceVersion;
    known.damper.wrote(change, clock.nowMs());
    for (const condition of plan.transitions) this.#tell(link, condition, context.logger);
    return undefined;
  }

  /** Forgets a Link that is gone. */
  forget(linkName: string): void {
    this.#written.delete(linkName);
  }

  #known(link: Link): Written {
    const { name, uid } = link.metadata;
    const known = this.#written.get(name);
    if (known !== undefined && known.uid === uid) return known;
    const fresh = {
      uid,
      status: link.status ?? {},
      resourceVersion: undefined,
      failures: 0,
      damper: new WriteDamper(this.#options.clock.nowMs()),
    };
    this.#written.set(name, fresh);
    return fresh;
  }

  async #apply(link: Link, status: LinkStatus, signal: AbortSignal): Promise<Link> {
    const { name, namespace, uid } = link.metadata;
    return await this.#options.client.apply<Link>(
      RESOURCES.links,
      {
        metadata: {
          name,
          ...(namespace !== undefined && { namespace }),
          ...(uid !== undefined && { uid }),
        },
        status,
      },
      { fieldManager: STATUS_FIELD_MANAGER, force: true, subresource: "status", signal },
    );
  }

  #tell(link: Link, condition: Condition, logger: Logger): void {
    const { events, metrics } = this.#options;
    const { type, status, reason, message } = condition;
    const good = status === "True";
    metrics.conditionTransitions.inc({ link: link.metadata.name, condition: type, reason });
    logger[good ? "info" : "warn"]({ condition: type, status, reason }, message);
    events.record(referenceOf(link), {
      type: good ? "Normal" : "Warning",
      reason,
      action: "Assess",
      note: `${type} is ${status}: ${message}`,
    });
  }
}

/** The Link as Events name it. */
export function referenceOf(link: Link): Parameters<EventRecorder["record"]>[0] {
  const { name, namespace, uid } = link.metadata;
  return {
    apiVersion: apiVersionOf(RESOURCES.links),
    kind: RESOURCES.links.kind,
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
  };
}

/** Whether the cached Link is what we wrote, or later. Versions compare as numbers (KEP-5504). */
function hasCaughtUp(link: Link, { resourceVersion }: Written): boolean {
  const cached = link.metadata.resourceVersion;
  if (resourceVersion === undefined || cached === undefined) return false;
  return /^\d+$/.test(cached + resourceVersion) && BigInt(cached) >= BigInt(resourceVersion);
}
