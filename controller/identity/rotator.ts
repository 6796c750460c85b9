import type { Clock } from "../../api/clock.ts";
import { CA_SECRET_NAME, CONTROLLER_FIELD_MANAGER, INSTALL_NAMESPACE } from "../../api/names.ts";
import type { Pod, Secret } from "../../api/objects.ts";
import { REASONS } from "../../api/reasons.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Logger } from "../../kube/logger.ts";
import { createAuthority } from "../../pki/authority.ts";
import type { LinkMetrics } from "../metrics.ts";
import { gatewaysLackingLeaf } from "./gateway-leaves.ts";
import { tell, warn } from "./identity-events.ts";
import type { OwnAuthority } from "./own-secrets.ts";
import {
  PhaseTimer,
  planRotation,
  restartOf,
  type RotationPhase,
  type RotationProgress,
  type RotationStep,
  waitedMsOf,
} from "./rotation.ts";
import {
  announcePatch,
  readRotation,
  type RecordedRotation,
  recordPatch,
  retirePatch,
  switchPatch,
} from "./rotation-secret.ts";

export interface RotatorOptions {
  client: KubeClient;
  clusterName: string;
  /** How long others are given to take a bundle over, in ms. */
  overlapMs: number;
  /** Links whose provider is not known to trust this certificate of ours. */
  linksLacking: (certificatePem: string) => string[];
  gatewayPods: () => readonly Pod[];
  events: EventRecorder;
  clock: Clock;
  /** Time that nobody sets, in ms. */
  monotonicMs: () => number;
  logger: Logger;
  metrics: LinkMetrics;
}

/** What one look at this cluster's identity found. */
export interface IdentityLook {
  readonly secret: Secret;
  readonly own: OwnAuthority;
  /** When the gateways' certificate ends; undefined unless the CA that signs has issued it. */
  readonly leafNotAfterMs: number | undefined;
}

const PHASES: readonly RotationPhase[] = [
  "idle",
  "announcing",
  "announced",
  "switching",
  "switched",
];
const AT_ONCE_MS = 50;

/** Moves the rotation of this cluster's CA on, one step a look; the Secret records each. */
export class AuthorityRotator {
  readonly #options: RotatorOptions;
  readonly #timer = new PhaseTimer();

  constructor(options: RotatorOptions) {
    this.#options = options;
  }

  /** Takes one step. Returns when to look again, in ms; undefined when nothing is under way. */
  async advance(look: IdentityLook, signal: AbortSignal): Promise<number | undefined> {
    const rotation = readRotation(look.secret, look.own);
    for (const phase of PHASES) {
      this.#options.metrics.authorityRotation.set({ phase }, phase === rotation.phase ? 1 : 0);
    }
    const step = planRotation(await this.#gather(look, rotation, signal));
    if (step.step === "rest") return undefined;
    if (step.step === "wait") {
      this.#tellWaiting(look.secret, rotation.phase, step.lacking);
      return step.forMs;
    }
    await this.#take(step, look, rotation, signal);
    return AT_ONCE_MS;
  }

  /**
   * To be called before a published bundle is put right. Takes back the wait
   * that rests on it and returns true; the bundle is then for the next look.
   */
  async restart({ secret, own }: Pick<IdentityLook, "secret" | "own">, signal: AbortSignal) {
    const { phase, progress } = readRotation(secret, own);
    const restarted = restartOf(phase, progress?.id);
    if (restarted === undefined) return false;
    await this.#patch(recordPatch(secret, restarted, this.#options.clock.nowMs()), signal);
    return true;
  }

  async #gather(
    { own, leafNotAfterMs }: IdentityLook,
    rotation: RecordedRotation,
    signal: AbortSignal,
  ) {
    const { clock, monotonicMs, overlapMs, linksLacking, gatewayPods } = this.#options;
    const unrecordedMs = this.#timer.unrecordedMs(rotation, monotonicMs());
    const { progress } = rotation;
    const atEnd =
      rotation.phase === "switched" && waitedMsOf({ progress, unrecordedMs }) >= overlapMs;
    const { next, notBeforeMs, notAfterMs } = own;
    return {
      ...rotation,
      notBeforeMs,
      notAfterMs,
      nowMs: clock.nowMs(),
      leafIssued: leafNotAfterMs !== undefined,
      unrecordedMs,
      overlapMs,
      linksLacking:
        rotation.phase === "announced" && next !== undefined
          ? linksLacking(next.certificatePem)
          : [],
      gatewaysLacking:
        atEnd && leafNotAfterMs !== undefined
          ? await gatewaysLackingLeaf(gatewayPods(), leafNotAfterMs, signal)
          : [],
    };
  }

  async #take(
    step: Exclude<RotationStep, { step: "rest" | "wait" }>,
    look: IdentityLook,
    rotation: RecordedRotation,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, clusterName, overlapMs } = this.#options;
    const { secret, own } = look;
    const { progress } = rotation;
    const nowMs = clock.nowMs();
    const overlap = `${Math.round(overlapMs / 1000)} s`;
    switch (step.step) {
      case "announce": {
        const next = await createAuthority({ clusterName, nowMs });
        await this.#patch(announcePatch(secret, next, step.id, nowMs), signal);
        const note = `The CA of ${clusterName} is rotated, since ${step.why}: the next one joins the trust bundle and signs after ${overlap} at the earliest.`;
        tell(this.#options, secret, REASONS.AuthorityRotating, note);
        return;
      }
      case "record": {
        const { phase, waitedMs } = step;
        const recorded: RotationProgress = { id: progress?.id, phase, waitedMs };
        await this.#patch(recordPatch(secret, recorded, nowMs), signal);
        this.#timer.reset();
        return;
      }
      case "switch": {
        if (own.next === undefined) return;
        await this.#patch(switchPatch(secret, own, own.next, progress?.id, nowMs), signal);
        const note = `The next CA of ${clusterName} signs now; the one before stays in the trust bundle for another ${overlap} at least.`;
        tell(this.#options, secret, REASONS.AuthorityRotating, note);
        if (step.lacking.length > 0) {
          const late = `Not waited for any longer: the providers of the Links ${step.lacking.join(", ")} are not known to trust the next CA and may refuse this cluster until they follow.`;
          warn(this.#options, secret, REASONS.AuthorityRotationWaiting, late);
        }
        return;
      }
      case "retire": {
        const id = progress === undefined ? rotation.requested : progress.id;
        await this.#patch(retirePatch(secret, id), signal);
        const note = `The CA of ${clusterName} is rotated: the one before has left the trust bundle.`;
        tell(this.#options, secret, REASONS.AuthorityRotated, note);
      }
    }
  }

  #tellWaiting(secret: Secret, phase: RotationPhase, lacking: readonly string[]): void {
    if (lacking.length === 0) return;
    const names = lacking.join(", ");
    const note =
      phase === "announced"
        ? `The next CA does not sign yet: the providers of the Links ${names} are not known to trust it.`
        : `The CA before stays in the trust bundle: the gateways ${names} are not known to use the new certificate.`;
    warn(this.#options, secret, REASONS.AuthorityRotationWaiting, note);
  }

  async #patch(patch: object, signal: AbortSignal): Promise<void> {
    await this.#options.client.patch<Secret>(
      RESOURCES.secrets,
      { namespace: INSTALL_NAMESPACE, name: CA_SECRET_NAME },
      patch,
      { type: "merge", fieldManager: CONTROLLER_FIELD_MANAGER, signal },
    );
  }
}
