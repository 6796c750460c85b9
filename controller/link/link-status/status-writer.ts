import type { Clock } from "../../../api/clock.ts";
import type { Condition } from "../../../api/conditions.ts";
import type { Link, LinkStatus } from "../../../api/link.ts";
import { CONTROLLER_FIELD_MANAGER } from "../../../api/names.ts";
import { apiVersionOf, RESOURCES } from "../../../api/resources.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import type { EventRecorder } from "../../../kube/events.ts";
import type { Logger } from "../../../kube/logger.ts";
import { type LinkMetrics, showCondition } from "../../metrics.ts";
import { planStatus, sameStatus, type StatusChange, type StatusInputs } from "./link-status.ts";

const STATUS_FIELD_MANAGER = `${CONTROLLER_FIELD_MANAGER}-status`;
/**
 * How long after the last write the next may come, by what changed: numbers of
 * Services change with every mirror, and an address may fail now so, now so.
 */
const INTERVAL_MS: Readonly<Record<StatusChange, number>> = {
  none: 0,
  counts: 2_000,
  messages: 10_000,
  conditions: 0,
};

interface Written {
  readonly uid: string | undefined;
  status: LinkStatus;
  /** Of our last write; older copies in the cache tell nothing. */
  resourceVersion: string | undefined;
  atMs: number;
}

/** Writes the status of Links, only where it changed, and tells of every transition once. */
export class LinkStatusWriter {
  readonly #options: {
    client: KubeClient;
    clock: Clock;
    events: EventRecorder;
    metrics: LinkMetrics;
  };
  /** What the API server holds, as far as we know: the cache lags behind our own writes. */
  readonly #written = new Map<string, Written>();

  constructor(options: {
    client: KubeClient;
    clock: Clock;
    events: EventRecorder;
    metrics: LinkMetrics;
  }) {
    this.#options = options;
  }

  /**
   * Makes the Link's status what the inputs say. Returns after how long to call
   * again when a write was put off, in milliseconds.
   */
  async write(
    link: Link,
    inputs: StatusInputs,
    context: { logger: Logger; signal: AbortSignal },
  ): Promise<number | undefined> {
    const { clock, metrics } = this.#options;
    const { name } = link.metadata;
    const known = this.#known(link);
    const plan = planStatus(known.status, inputs);
    for (const condition of plan.status.conditions ?? []) showCondition(metrics, name, condition);
    const drifted = isNewer(link, known) && !sameStatus(link.status ?? {}, known.status);
    if (plan.change === "none" && !drifted) return undefined;
    const waitMs = known.atMs + INTERVAL_MS[plan.change] - clock.nowMs();
    if (waitMs > 0) return waitMs;

    const written = await this.#apply(link, plan.status, context.signal);
    metrics.statusWrites.inc({ link: name });
    known.status = plan.status;
    known.resourceVersion = written.metadata.resourceVersion;
    known.atMs = clock.nowMs();
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
      // Right after a start mirrors are still being counted.
      atMs: this.#options.clock.nowMs(),
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

/** Whether the cached Link is a later version than what we wrote. Versions compare as numbers (KEP-5504). */
function isNewer(link: Link, { resourceVersion }: Written): boolean {
  const cached = link.metadata.resourceVersion;
  if (resourceVersion === undefined || cached === undefined) return false;
  return /^\d+$/.test(cached + resourceVersion) && BigInt(cached) > BigInt(resourceVersion);
}
