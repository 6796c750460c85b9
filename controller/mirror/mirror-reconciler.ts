import { createHash } from "node:crypto";
import { ANNOTATIONS } from "../../api/names.ts";
import { keyOf, type Service, splitKey } from "../../api/objects.ts";
import { REASONS } from "../../api/reasons.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { Logger } from "../../kube/logger.ts";
import type { ReconcileContext, Result } from "../../kube/reconciler/reconciler.ts";
import type { LinkView } from "../link/link-view.ts";
import { claimsOf, type GatherSources, gatherState, linkExists } from "./plan/gather.ts";
import type { Damper } from "./damper.ts";
import type { Ledger } from "./ledger.ts";
import type { MirrorMetrics } from "./metrics.ts";
import { MirrorWriter, type WriteContext } from "./mirror-writer/mirror-writer.ts";
import { mirrorNameOf } from "./plan/names.ts";
import { ObjectWriter } from "../object-writer/object-writer.ts";
import {
  type OwnObject,
  ownerKeyOf,
  type Purpose,
  purposeOf,
} from "./mirror-writer/own-objects.ts";
import { isTerminating, type MirrorState, type Plan, planMirror, presenceOf } from "./plan/plan.ts";
import { type PortAllocator, portOwner } from "./port-allocator.ts";
import type { RepairGuard } from "../object-writer/repair-guard.ts";
import type { Reporter } from "./reporter.ts";
import { WriteFailure } from "../object-writer/write-failure.ts";

/** The key that stands for a link's objects that do not say what they are for. */
export const STRAYS = "";

/** After so long a cache that is behind is looked at again, should it not tell by itself. */
const LATE_CACHE_MS = 1000;

/** One reconcile: gather from caches, plan, write what differs, tell what changed. */
export class MirrorReconciler {
  readonly #sources: GatherSources;
  readonly #client: KubeClient;
  readonly #allocator: PortAllocator;
  readonly #writer: MirrorWriter;
  readonly #ledger: Ledger;
  readonly #reporter: Reporter;
  readonly #repairs: RepairGuard;
  readonly #damper: Damper;
  readonly #metrics: MirrorMetrics;
  readonly #nameChanged: (mirrorKey: string) => void;

  /** @param options.nameChanged told when a name has become free that others may want */
  constructor(options: {
    sources: GatherSources;
    client: KubeClient;
    ledger: Ledger;
    reporter: Reporter;
    repairs: RepairGuard;
    damper: Damper;
    metrics: MirrorMetrics;
    nameChanged: (mirrorKey: string) => void;
  }) {
    const { sources, metrics } = options;
    this.#sources = sources;
    this.#client = options.client;
    this.#allocator = sources.allocator;
    this.#ledger = options.ledger;
    this.#reporter = options.reporter;
    this.#repairs = options.repairs;
    this.#damper = options.damper;
    this.#metrics = metrics;
    this.#nameChanged = options.nameChanged;
    this.#writer = new MirrorWriter({
      writer: new ObjectWriter(options.client, metrics),
      caches: sources.caches,
      own: sources.own,
      isWantedElsewhere: (object, purpose) => this.#isWantedElsewhere(object, purpose),
    });
  }

  /** Looks at one source of one link, or at the strays of a link, and puts right what is not. */
  async reconcile(purpose: Purpose, context: ReconcileContext): Promise<Result> {
    if (purpose.sourceKey === STRAYS) {
      await this.#reconcileStrays(purpose, context);
      return {};
    }
    const { state, pauseMs } = this.#admitted(purpose);
    const plan = planMirror(state);
    const write = { purpose, gateways: state.gateways, signal: context.signal };
    try {
      return earlier(await this.#carryOut(plan, state, write, context.logger), pauseMs);
    } catch (error) {
      if (!(error instanceof WriteFailure)) throw error;
      const { reason, message } = error;
      this.#reporter.skipped(purpose, state.view, { reason, message });
      throw error;
    } finally {
      this.#metrics.egressPorts.set(this.#allocator.size);
    }
  }

  /** The state, as far as the source may be followed now, and after what pause to look again. */
  #admitted(purpose: Purpose): { state: MirrorState; pauseMs: number } {
    const state = this.#withLost(gatherState(this.#sources, purpose), purpose);
    const presence = presenceOf(state);
    if (presence === undefined) return { state, pauseMs: 0 };
    const { presence: admitted, pauseMs } = this.#damper.admit(portOwner(purpose), presence);
    return { state: { ...state, damping: { admitted, flapping: pauseMs > 0 } }, pauseMs };
  }

  /** While the provider is unknown a mirror that somebody deleted is known from memory alone. */
  #withLost(state: MirrorState, purpose: Purpose): MirrorState {
    const lost = state.mirrors.length === 0 ? this.#writer.lost(purpose) : undefined;
    if (lost === undefined) return state;
    const namespace = this.#sources.caches.namespaces.store.get(lost.metadata.namespace ?? "");
    const isWritable = namespace !== undefined && !isTerminating(namespace);
    return isWritable ? { ...state, mirrors: [lost] } : state;
  }

  async #carryOut(
    plan: Plan,
    state: MirrorState,
    write: WriteContext,
    logger: Logger,
  ): Promise<Result> {
    const { purpose } = write;
    const { view } = state;
    if (plan.kind === "present") return await this.#makePresent(plan, state, write, logger);
    switch (plan.kind) {
      case "wait":
        break;
      case "blocked":
        this.#reporter.skipped(purpose, view, plan.skip);
        break;
      case "hold":
        for (const mirror of plan.mirrors) {
          await this.#writer.ensure(mirror, write);
          this.#reporter.mirrored(purpose, view, mirror.status, []);
        }
        break;
      case "absent":
        if (await this.#isNamespaceLate(plan, write)) return { requeueAfterMs: LATE_CACHE_MS };
        this.#writer.forgetLost(purpose);
        await this.#removeOthers(undefined, view, write, logger);
        this.#allocator.release(portOwner(purpose));
        this.#repairs.forget(portOwner(purpose));
        if (plan.skip === undefined) this.#noteUnwanted(purpose, state);
        else this.#reporter.skipped(purpose, view, plan.skip);
        break;
    }
    return {};
  }

  /**
   * Whether the namespace that is said to be missing exists, and our cache has not heard of it yet.
   * Of one that may not be read nobody ever says that it is missing.
   */
  async #isNamespaceLate(
    { skip }: Plan & { kind: "absent" },
    { purpose, signal }: WriteContext,
  ): Promise<boolean> {
    if (skip?.reason !== REASONS.NamespaceMissing) return false;
    if (this.#ledger.skipOf(purpose.link, purpose.sourceKey)?.reason === skip.reason) return false;
    const { namespace = "" } = splitKey(purpose.sourceKey);
    const { items } = await this.#client.list(RESOURCES.namespaces, {
      fieldSelector: `metadata.name=${namespace}`,
      signal,
    });
    return items.length > 0;
  }

  async #makePresent(
    plan: Plan & { kind: "present" },
    { view, candidate, egressPorts }: MirrorState,
    write: WriteContext,
    logger: Logger,
  ): Promise<Result> {
    const { purpose, signal } = write;
    const { mirror } = plan;
    const mirrorKey = keyOf(mirror.service);
    const owner = portOwner(purpose);
    const desired = fingerprint([mirror, write.gateways]);
    const pauseMs = this.#repairs.pauseMs(owner, desired);
    if (pauseMs > 0) return { requeueAfterMs: pauseMs };
    if (candidate?.decision.kind === "exported" && egressPorts !== undefined) {
      // Before anything is awaited: no other worker may be given these ports.
      this.#allocator.reserve(mirrorKey, owner, candidate.decision.offer.ports, egressPorts);
    }
    this.#allocator.release(owner, mirrorKey);
    if (plan.createNamespace) {
      const { namespace = "" } = splitKey(mirrorKey);
      await this.#writer.createNamespace(
        namespace,
        { [ANNOTATIONS.createdFor]: purpose.link },
        signal,
      );
    }
    const { service, created, changed } = await this.#writer.ensure(mirror, write);
    const repairs = this.#repairs.settled(owner, desired, changed);
    if (repairs > 0) {
      logger.info({ mirror: mirrorKey, repairs }, "mirror was changed by others, put right");
      this.#reporter.repaired(view, service, repairs);
    } else if (created) {
      logger.info({ mirror: mirrorKey, source: purpose.sourceKey }, "mirror created");
      this.#reporter.created(purpose, view, service);
    }
    this.#reporter.mirrored(purpose, view, mirror.status, plan.notices);
    await this.#removeOthers(mirror.service, view, write, logger);
    return {};
  }

  async #removeOthers(
    mirror: Service | undefined,
    view: LinkView | undefined,
    write: WriteContext,
    logger: Logger,
  ): Promise<void> {
    const { services, blocked, failures } = await this.#writer.removeOthers(mirror, write);
    for (const removed of services) {
      logger.info({ mirror: keyOf(removed), source: write.purpose.sourceKey }, "mirror removed");
      this.#reporter.removed(write.purpose, view, removed);
    }
    for (const other of blocked) {
      const { kind } = other.resource;
      const { finalizers } = other.object.metadata;
      logger.warn({ kind, object: keyOf(other.object), finalizers }, "kept by finalizers");
      this.#reporter.deletionBlocked(view, other);
    }
    if (failures.length > 0) throw failures[0];
  }

  #noteUnwanted(purpose: Purpose, { view }: MirrorState): void {
    // Another source may have waited for the name.
    if (this.#reporter.unwanted(purpose) && view) {
      const { namespace = "", name } = splitKey(purpose.sourceKey);
      this.#nameChanged(`${namespace}/${mirrorNameOf(view, name)}`);
    }
    if (view === undefined || view.deleting) this.#ledger.forget(purpose.link);
  }

  /** Objects of ours that do not say what they are for, once it is known that no source wants them. */
  async #reconcileStrays(purpose: Purpose, { signal, logger }: ReconcileContext): Promise<void> {
    const { link } = purpose;
    const view = this.#sources.links.get(link);
    const isKnown = view ? view.deleting || view.remote : !linkExists(this.#sources, link);
    if (isKnown === undefined || isKnown === false) return;
    await this.#removeOthers(undefined, view, { purpose, gateways: [], signal }, logger);
    this.#allocator.release(portOwner(purpose));
  }

  /** Whether an object is part of another source's mirror, whatever its annotation says. */
  #isWantedElsewhere({ resource, object }: OwnObject, { link, sourceKey }: Purpose): boolean {
    if (resource === RESOURCES.services) {
      return claimsOf(this.#sources, keyOf(object)).some(
        (claim) => claim.link === link && claim.sourceKey !== sourceKey,
      );
    }
    const parentKey = ownerKeyOf(object);
    const parent = parentKey && this.#sources.caches.services.store.get(parentKey);
    const purpose = parent ? purposeOf(parent) : undefined;
    return purpose?.link === link && purpose.sourceKey !== sourceKey;
  }
}

function earlier({ requeueAfterMs }: Result, pauseMs: number): Result {
  if (pauseMs === 0) return requeueAfterMs === undefined ? {} : { requeueAfterMs };
  return { requeueAfterMs: Math.min(requeueAfterMs ?? pauseMs, pauseMs) };
}

/** Stands for a desired state when only its changes matter. */
function fingerprint(desired: unknown): string {
  return createHash("sha256").update(JSON.stringify(desired)).digest("base64");
}
