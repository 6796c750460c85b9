import { type FailoverStateName, goesElsewhere } from "../../api/failover.ts";
import type { Service } from "../../api/objects.ts";
import { formatSource } from "../../api/ownership.ts";
import { type Finding, REASONS } from "../../api/reasons.ts";
import { apiVersionOf, RESOURCES } from "../../api/resources.ts";
import type { EventRecorder } from "../../kube/events.ts";
import { plainText } from "../../api/plain-text.ts";
import type { FailoverMetrics } from "./metrics.ts";
import type { FailoverPlan, Recorded } from "./plan/plan.ts";

/** What was told of a Service last. */
interface Told {
  readonly state: FailoverStateName | undefined;
  /** Cluster that its connections go to, if not here. */
  readonly cluster: string | undefined;
  readonly messages: ReadonlySet<string>;
}

const NOTHING: Told = { state: undefined, cluster: undefined, messages: new Set() };

/** Tells people by Events on the Service, and by metrics, what changed about its failover. */
export class FailoverReporter {
  readonly #events: Pick<EventRecorder, "record">;
  readonly #metrics: FailoverMetrics;
  readonly #told = new Map<string, Told>();

  constructor(events: Pick<EventRecorder, "record">, metrics: FailoverMetrics) {
    this.#events = events;
    this.#metrics = metrics;
  }

  /** The Service is as planned now; `before` is what its slices said until then. */
  planned(key: string, service: Service, before: Recorded, plan: FailoverPlan): void {
    const { target, state } = plan;
    for (const { type, ...finding } of changesOf(key, before, plan)) {
      this.#metrics.transitions.inc({ reason: finding.reason });
      this.#record(service, type, finding);
    }
    const cluster = goesElsewhere(state) ? target?.source.cluster : undefined;
    this.#note(key, { state, cluster, messages: this.#tell(key, service, plan.findings) });
  }

  /** The Service cannot fail over. */
  unsupported(key: string, service: Service, finding: Finding): void {
    this.#note(key, { ...NOTHING, messages: this.#tell(key, service, [finding]) });
  }

  /** What is planned for the Service cannot be written, so that it is as before. */
  refused(key: string, service: Service, findings: readonly Finding[]): void {
    const { state, cluster } = this.#told.get(key) ?? NOTHING;
    this.#note(key, { state, cluster, messages: this.#tell(key, service, findings) });
  }

  /** The Service asks for no failover. */
  forget(key: string): void {
    this.#note(key, NOTHING);
    this.#told.delete(key);
  }

  /** Another replica tells from now on. */
  stop(): void {
    for (const key of this.#told.keys()) this.forget(key);
  }

  /** Each finding once while it lasts. */
  #tell(key: string, service: Service, findings: readonly Finding[]): ReadonlySet<string> {
    const told = this.#told.get(key)?.messages;
    for (const finding of findings) {
      if (told?.has(finding.message) === true) continue;
      const type = finding.reason === REASONS.FailoverLimited ? "Normal" : "Warning";
      this.#record(service, type, finding);
    }
    return new Set(findings.map(({ message }) => message));
  }

  #note(key: string, now: Told): void {
    const before = this.#told.get(key) ?? NOTHING;
    if (before.state !== now.state) {
      if (before.state !== undefined) this.#metrics.services.dec({ state: before.state });
      if (now.state !== undefined) this.#metrics.services.inc({ state: now.state });
    }
    if (before.cluster !== now.cluster) {
      if (before.cluster !== undefined) {
        this.#metrics.active.remove({ service: key, target: before.cluster });
      }
      if (now.cluster !== undefined) {
        this.#metrics.active.set({ service: key, target: now.cluster }, 1);
      }
    }
    this.#told.set(key, now);
  }

  #record({ metadata }: Service, type: "Normal" | "Warning", { reason, message }: Finding): void {
    const { services } = RESOURCES;
    const { name, namespace, uid } = metadata;
    this.#events.record(
      {
        apiVersion: apiVersionOf(services),
        kind: services.kind,
        name,
        ...(namespace !== undefined && { namespace }),
        ...(uid !== undefined && { uid }),
      },
      { type, reason, action: "Failover", note: plainText(message) },
    );
  }
}

/** What is news about where connections go. */
function changesOf(
  key: string,
  before: Recorded,
  { state, target, message }: FailoverPlan,
): (Finding & { type: "Normal" | "Warning" })[] {
  const isBack = state === "standby" || state === "unprotected";
  if (isBack && (goesElsewhere(before.state) || before.state === "closed")) {
    return [{ type: "Normal", reason: REASONS.FailoverReturned, message }];
  }
  if (state === "active" && !goesElsewhere(before.state)) {
    return [{ type: "Normal", reason: REASONS.FailoverActivated, message }];
  }
  const isLost = state === "closed" || (state === "unprotected" && before.state === "standby");
  if (isLost && before.state !== state) {
    return [{ type: "Warning", reason: REASONS.FailoverUnavailable, message }];
  }
  const [from, to] = [before.target, target?.source].map(
    (source) => source && formatSource(source),
  );
  if (from === undefined || to === undefined || from === to) return [];
  const moved = `Service ${key} fails over to ${to} now, no more to ${from}. ${message}`;
  return [{ type: "Normal", reason: REASONS.FailoverTargetChanged, message: moved }];
}
