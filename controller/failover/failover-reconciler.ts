import { createHash } from "node:crypto";
import type { Clock } from "../../api/clock.ts";
import { type FailoverPolicy, readFailover } from "../../api/failover.ts";
import { decideExport, isOfferedTo } from "../../api/export.ts";
import { CONFIG_MAP_NAME, INSTALL_NAMESPACE } from "../../api/names.ts";
import { type EndpointSlice, keyOf, type Service, splitKey } from "../../api/objects.ts";
import type { Source } from "../../api/ownership.ts";
import { type Finding, REASONS } from "../../api/reasons.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { ReconcileContext, Result } from "../../kube/reconciler/reconciler.ts";
import type { Store } from "../../kube/reflector/store.ts";
import type { LinkView, LinkViews } from "../link/link-view.ts";
import { isTerminating } from "../mirror/plan/plan.ts";
import type { ObjectWriter } from "../object-writer/object-writer.ts";
import type { RepairGuard } from "../object-writer/repair-guard.ts";
import { WriteFailure } from "../object-writer/write-failure.ts";
import type { GatewayPod } from "../own-cluster/gateway-pods.ts";
import type { NamespaceCache } from "../own-cluster/listed-namespaces.ts";
import type { FailoverMemory } from "./memory.ts";
import type { OwnSlices } from "./own-slices.ts";
import { type FailoverPlan, planFailover, type Recorded } from "./plan/plan.ts";
import { failoverSlices, recordOf } from "./plan/slices.ts";
import { assessTarget, type Target } from "./plan/targets.ts";
import type { References } from "./references.ts";
import type { FailoverReporter } from "./reporter.ts";

/** What failover asks of the mirrors: they are the targets' doors. */
export interface MirrorLookup {
  /** The mirror Service that stands for a source, undefined when there is none. */
  mirrorOf(link: string, sourceKey: string): Service | undefined;
  /** Why a source that asks for a mirror has none. */
  skipOf(link: string, sourceKey: string): Finding | undefined;
}

export interface FailoverReconcilerOptions {
  readonly ownClusterName: string;
  readonly services: Store<Service>;
  readonly namespaces: Pick<NamespaceCache, "store" | "only">;
  readonly slices: OwnSlices;
  readonly links: LinkViews;
  readonly mirrors: MirrorLookup;
  readonly references: References;
  readonly memory: FailoverMemory;
  readonly reporter: FailoverReporter;
  readonly writer: ObjectWriter;
  readonly repairs: RepairGuard;
  readonly clock: Clock;
  /** Of the Service's own endpoints: whether one is ready. */
  readonly hasReadyEndpoint: (service: string) => boolean;
  /** Whether one is ready, or terminating and serving still. */
  readonly hasUsableEndpoint: (service: string) => boolean;
  readonly gateways: () => readonly GatewayPod[];
}

/** One Service's failover: gather from caches, plan, write what differs, tell what changed. */
export class FailoverReconciler {
  readonly #options: FailoverReconcilerOptions;

  constructor(options: FailoverReconcilerOptions) {
    this.#options = options;
  }

  /** Looks at one Service, `namespace/name`, and makes its slices what they should be. */
  async reconcile(key: string, context: ReconcileContext): Promise<Result> {
    const { services, namespaces, slices, ownClusterName, references, reporter, memory } =
      this.#options;
    const { namespace: name = "" } = splitKey(key);
    // What was made where no work may be done any more goes.
    const service = namespaces.only?.has(name) === false ? undefined : services.get(key);
    const request = service && readFailover(service, ownClusterName);
    references.set(key, request?.kind === "wanted" ? request.policy.targets : []);
    if (service === undefined || request === undefined) {
      await this.#removeAll(key, context);
      reporter.forget(key);
      return {};
    }
    if (request.kind === "unsupported") {
      await this.#removeAll(key, context);
      reporter.unsupported(key, service, request.finding);
      return {};
    }
    const namespace = namespaces.store.get(name);
    const mayCreate = namespace === undefined || !isTerminating(namespace);
    // Nothing can be made there any more; what is there still follows its target, or goes with its Link.
    if (!mayCreate && slices.of(key).length === 0) return {};
    const { plan, before, since } = this.#decide(key, request.policy);
    const findings = [...request.findings, ...plan.findings];
    const logger = context.logger.child({ link: plan.target?.link ?? "" });
    try {
      const pauseMs = await this.#write(key, service, { plan, since }, { ...context, logger });
      if (pauseMs > 0) return { requeueAfterMs: pauseMs };
    } catch (error) {
      if (!(error instanceof WriteFailure)) throw error;
      const { reason, message } = error;
      reporter.refused(key, service, [...findings, { reason, message }]);
      throw error;
    }
    if (before.state !== plan.state) {
      const { state, reason } = plan;
      logger.info({ state, before: before.state, reason }, "failover state changed");
    }
    memory.decide(key, { target: plan.target?.source, state: plan.state, since });
    reporter.planned(key, service, before, { ...plan, findings });
    const { recheckAfterMs } = plan;
    return recheckAfterMs === undefined ? {} : { requeueAfterMs: recheckAfterMs };
  }

  #decide(
    key: string,
    policy: FailoverPolicy,
  ): { plan: FailoverPlan; before: Recorded; since: string } {
    const { slices, memory, clock, hasReadyEndpoint, hasUsableEndpoint, gateways } = this.#options;
    const nowMs = clock.nowMs();
    const before = memory.decided(key) ?? recordOf(slices.of(key));
    const targets = policy.targets.map((source) => this.#assess(key, source, policy));
    const own = { ownReady: hasReadyEndpoint(key), ownUsable: hasUsableEndpoint(key) };
    const observed = memory.observe(key, { ...own, targets }, nowMs);
    const plan = planFailover({
      service: key,
      policy,
      targets,
      recorded: before,
      observed,
      gateways: gateways().length,
    });
    const isOld = plan.state === before.state && before.since !== undefined;
    return { plan, before, since: isOld ? before.since : new Date(nowMs).toISOString() };
  }

  #assess(key: string, source: Source, policy: FailoverPolicy): Target {
    const { links, mirrors } = this.#options;
    const [view] = links
      .list()
      .filter(({ clusterName, deleting }) => clusterName === source.cluster && !deleting)
      // Of two links to one cluster the one that has mirrors counts.
      .toSorted((left, right) => Number(right.open) - Number(left.open));
    const sourceKey = `${source.namespace}/${source.name}`;
    const facts = {
      source,
      link: view && { name: view.name, open: view.open },
      mirror: view && mirrors.mirrorOf(view.name, sourceKey),
      whyNoMirror: view && this.#whyNoMirror(view, sourceKey),
    };
    return assessTarget(key, facts, policy);
  }

  /** Nothing is concluded before the provider was listed, nor of a mirror that is on its way. */
  #whyNoMirror(view: LinkView, sourceKey: string): Finding | "pending" | undefined {
    const { mirrors, namespaces, ownClusterName } = this.#options;
    if (namespaces.only?.has(splitKey(sourceKey).namespace ?? "") === false) {
      return notListed(sourceKey);
    }
    const reading = view.remote?.readingOf?.(sourceKey);
    if (view.remote === undefined || reading === "pending") return "pending";
    const skip = mirrors.skipOf(view.name, sourceKey);
    const source = view.remote.services.get(sourceKey);
    if (skip !== undefined || source === undefined) return skip;
    const decision = decideExport(source);
    const isOffered = decision.kind === "exported" && isOfferedTo(decision.offer, ownClusterName);
    return isOffered ? "pending" : undefined;
  }

  /** Returns how long to leave the slices alone, in milliseconds, when somebody else insists on changing them. */
  async #write(
    key: string,
    service: Service,
    { plan, since }: { plan: FailoverPlan; since: string },
    { signal, logger }: ReconcileContext,
  ): Promise<number> {
    const { slices, writer, repairs, gateways } = this.#options;
    const wanted = failoverSlices({ service, plan, gateways: gateways(), since });
    const desired = fingerprint(wanted);
    const pauseMs = repairs.pauseMs(key, desired);
    if (pauseMs > 0) return pauseMs;
    const actual = new Map(slices.of(key).map((slice) => [keyOf(slice), slice]));
    let changed = false;
    for (const slice of wanted) {
      const found = actual.get(keyOf(slice));
      actual.delete(keyOf(slice));
      const owner = found && ownerOf(found);
      // Of a Service of that name that is gone: the garbage collector is about to delete it.
      const isOrphan = found !== undefined && owner !== undefined && owner !== ownerOf(slice);
      if (isOrphan) await writer.remove(RESOURCES.endpointSlices, found, signal);
      const known = isOrphan ? undefined : found;
      const { done } = await writer.ensure(RESOURCES.endpointSlices, slice, known, signal);
      if (done !== "nothing") changed = true;
    }
    for (const slice of actual.values()) await this.#remove(slice, signal);
    const count = repairs.settled(key, desired, changed);
    if (count > 0)
      logger.info({ repairs: count }, "failover slices were changed by others, put right");
    return 0;
  }

  async #removeAll(key: string, { signal, logger }: ReconcileContext): Promise<void> {
    const { slices, memory, repairs } = this.#options;
    memory.forget(key);
    repairs.forget(key);
    for (const slice of slices.of(key)) {
      await this.#remove(slice, signal);
      logger.info({ slice: keyOf(slice) }, "failover slice removed");
    }
  }

  async #remove(slice: EndpointSlice, signal: AbortSignal): Promise<void> {
    if (slice.metadata.deletionTimestamp !== undefined) return;
    await this.#options.writer.remove(RESOURCES.endpointSlices, slice, signal);
  }
}

function notListed(sourceKey: string): Finding {
  return {
    reason: REASONS.NamespaceNotListed,
    message: `${sourceKey} has no mirror here: its namespace is not in the list of ConfigMap ${INSTALL_NAMESPACE}/${CONFIG_MAP_NAME}; add it there.`,
  };
}

function ownerOf({ metadata }: EndpointSlice): string | undefined {
  return metadata.ownerReferences?.[0]?.uid;
}

/** Stands for the desired slices when only their changes matter. */
function fingerprint(slices: readonly EndpointSlice[]): string {
  return createHash("sha256").update(JSON.stringify(slices)).digest("base64");
}
