import { readDurationMs } from "./duration.ts";
import { limitsOf, unsupported } from "./failover-limits.ts";
import { isDnsLabel, isServiceName } from "./names-schema.ts";
import { ANNOTATIONS } from "./names.ts";
import { keyOf, type Service, type ServicePort } from "./objects.ts";
import { formatSource, type Source } from "./ownership.ts";
import { listed } from "./plain-text.ts";
import { type Finding, REASONS } from "./reasons.ts";
import { isPort, isTcp } from "./service-ports.ts";

/** So many targets of a Service are looked at. */
const MAX_FAILOVER_TARGETS = 16;
const MAX_LIST_CHARS = 4096;
const MAX_DELAY_MS = 24 * 3_600_000;
const DEFAULT_ACTIVATE_AFTER_MS = 2000;
const DEFAULT_FAILBACK_AFTER_MS = 30_000;

export type FailoverMode = "standby" | "active";

/** What connections of a failing-over Service do, as the controller saw it last. */
export type FailoverStateName =
  /** Own endpoints are ready; a healthy target stands by. */
  | "standby"
  /** Own endpoints are ready, and no target is healthy. */
  | "unprotected"
  /** Active mode: no own endpoint is ready, for less than the time it takes. */
  | "activating"
  /** No own endpoint is ready: connections go to the target. */
  | "active"
  /** Active mode: own endpoints are ready again, and the target still takes part. */
  | "returning"
  /** No own endpoint is ready and no target is healthy: connections are refused. */
  | "closed";

/** Whether connections leave the cluster in that state, some of them at least. */
export function goesElsewhere(state: FailoverStateName | undefined): boolean {
  return state === "active" || state === "returning";
}

/** A port of the Service that fails over. */
export interface FailoverPort {
  readonly own: ServicePort;
  /** Name or number of the target's port, where the annotation says it. */
  readonly theirs: string | undefined;
}

/** What a Service's failover annotations ask for. */
export interface FailoverPolicy {
  /** In the order of preference, none twice. */
  readonly targets: readonly Source[];
  readonly mode: FailoverMode;
  readonly ports: readonly FailoverPort[];
  /** Active mode: for so long no own endpoint has to be ready before the target takes over. */
  readonly activateAfterMs: number;
  /** For so long something better has to be good before connections go back to it. */
  readonly failbackAfterMs: number;
}

export type FailoverRequest =
  | { readonly kind: "unsupported"; readonly finding: Finding }
  | { readonly kind: "wanted"; readonly policy: FailoverPolicy; readonly findings: Finding[] };

/** Whether the Service asks for failover; the cheap test that watchers filter with. */
export function asksForFailover(service: Service): boolean {
  return service.metadata.annotations?.[ANNOTATIONS.failover] !== undefined;
}

/**
 * What a Service asks for; undefined when it does not ask for failover. What
 * cannot be read is left out with a finding that says how to mend it, and the
 * rest counts.
 *
 * @param ownCluster the name of the Service's own cluster
 */
export function readFailover(service: Service, ownCluster: string): FailoverRequest | undefined {
  if (!asksForFailover(service)) return undefined;
  const finding = unsupported(service);
  if (finding !== undefined) return { kind: "unsupported", finding };
  const reader = new Reader(service);
  const policy: FailoverPolicy = {
    targets: reader.targets(ownCluster),
    mode: reader.mode(),
    ports: reader.ports(),
    activateAfterMs: reader.delayMs(ANNOTATIONS.failoverActivateAfter, DEFAULT_ACTIVATE_AFTER_MS),
    failbackAfterMs: reader.delayMs(ANNOTATIONS.failoverFailbackAfter, DEFAULT_FAILBACK_AFTER_MS),
  };
  return { kind: "wanted", policy, findings: [...reader.findings, ...limitsOf(service)] };
}

/** The port of a target that a port fails over to: the one it names, else by name, else by number. */
export function counterpartOf(
  { own, theirs }: FailoverPort,
  offered: readonly ServicePort[],
): ServicePort | undefined {
  if (theirs !== undefined) return offered.find((port) => isPort(port, theirs));
  return (
    offered.find(({ name = "" }) => name === (own.name ?? "")) ??
    offered.find(({ port }) => port === own.port)
  );
}

/** Reads annotation by annotation, and collects what is wrong with them. */
class Reader {
  readonly findings: Finding[] = [];
  readonly #service: Service;

  constructor(service: Service) {
    this.#service = service;
  }

  targets(ownCluster: string): Source[] {
    const items = this.#list(ANNOTATIONS.failover);
    const targets = new Map<string, Source>();
    const [malformed, repeated, own]: [string[], string[], string[]] = [[], [], []];
    for (const item of items) {
      const target = this.#target(item);
      if (target === undefined) malformed.push(item);
      else if (target.cluster === ownCluster) own.push(item);
      else if (targets.has(formatSource(target))) repeated.push(item);
      else targets.set(formatSource(target), target);
    }
    const { failover } = ANNOTATIONS;
    this.#complain(
      malformed,
      (names) =>
        `${failover} has ${names}, which is neither the name of a cluster nor cluster/namespace/name; correct it.`,
    );
    this.#complain(
      own,
      (names) => `${failover} names ${names}, which is this cluster itself; name another one.`,
    );
    this.#complain(
      repeated,
      (names) => `${failover} names ${names} twice; the first counts, remove the other.`,
    );
    const surplus = [...targets.keys()].slice(MAX_FAILOVER_TARGETS);
    this.#complain(
      surplus,
      (names) =>
        `${failover} names ${targets.size} targets, of which the first ${MAX_FAILOVER_TARGETS} are used; remove ${names}.`,
    );
    if (items.length === 0)
      this.#complain(
        ["nothing"],
        () => `${failover} names no cluster; write such as "west,north", or remove it.`,
      );
    return [...targets.values()].slice(0, MAX_FAILOVER_TARGETS);
  }

  mode(): FailoverMode {
    const mode = this.#value(ANNOTATIONS.failoverMode)?.trim() ?? "standby";
    if (mode === "standby" || mode === "active") return mode;
    this.#complain(
      [mode],
      (names) =>
        `${ANNOTATIONS.failoverMode} is ${names}, so standby counts; use standby or active.`,
    );
    return "standby";
  }

  ports(): FailoverPort[] {
    const tcp = (this.#service.spec?.ports ?? []).filter(isTcp);
    if (this.#value(ANNOTATIONS.failoverPorts) === undefined) {
      return tcp.map((own) => ({ own, theirs: undefined }));
    }
    const [unknown, repeated]: [string[], string[]] = [[], []];
    const seen = new Set<ServicePort>();
    const wanted = this.#list(ANNOTATIONS.failoverPorts).flatMap((item) => {
      const [name = "", theirs, ...rest] = item.split("=").map((part) => part.trim());
      const own = tcp.find((port) => isPort(port, name));
      if (own === undefined || theirs === "" || rest.length > 0) {
        unknown.push(item);
        return [];
      }
      if (seen.has(own)) repeated.push(item);
      seen.add(own);
      return [{ own, theirs }];
    });
    this.#complain(
      unknown,
      (names) =>
        `${ANNOTATIONS.failoverPorts} has ${names}, which is no TCP port of the Service; use its port names or numbers, and own=theirs where the target's port has another name.`,
    );
    this.#complain(
      repeated,
      (names) =>
        `${ANNOTATIONS.failoverPorts} names the port of ${names} twice; the first counts, remove the other.`,
    );
    // Each port once, in the order of the Service.
    return tcp.flatMap((port) => wanted.find(({ own }) => own === port) ?? []);
  }

  delayMs(annotation: string, defaultMs: number): number {
    const text = this.#value(annotation);
    if (text === undefined) return defaultMs;
    const delayMs = readDurationMs(text.trim());
    if (delayMs !== undefined && delayMs <= MAX_DELAY_MS) return delayMs;
    this.#complain(
      [text],
      (names) =>
        `${annotation} is ${names}, so ${defaultMs / 1000}s counts; use a duration such as 30s or 5m, 24h at most.`,
    );
    return defaultMs;
  }

  #target(item: string): Source | undefined {
    const own = this.#service.metadata;
    const parts = item.split("/");
    const [cluster = "", namespace = own.namespace ?? "", name = own.name] = parts;
    const isWritten = parts.length === 1 || parts.length === 3;
    const isValid = isDnsLabel(cluster) && isDnsLabel(namespace) && isServiceName(name);
    return isWritten && isValid ? { cluster, namespace, name } : undefined;
  }

  #value(annotation: string): string | undefined {
    return this.#service.metadata.annotations?.[annotation];
  }

  #list(annotation: string): string[] {
    const text = this.#value(annotation) ?? "";
    if (text.length > MAX_LIST_CHARS) {
      this.#complain(
        [`${text.length} characters`],
        (names) =>
          `${annotation} has ${names}, of which none are read; ${MAX_LIST_CHARS} are allowed.`,
      );
      return [];
    }
    return text
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
  }

  #complain(items: readonly string[], say: (names: string) => string): void {
    if (items.length === 0) return;
    const message = `Service ${keyOf(this.#service)}: annotation ${say(listed(items))}`;
    this.findings.push({ reason: REASONS.FailoverInvalid, message });
  }
}
