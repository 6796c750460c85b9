import { readFileSync } from "node:fs";

/** A request that the API server answered. Times are of its clock, and compare as strings. */
export interface AuditEntry {
  /** The replica, by the Pod that its token is bound to. */
  readonly pod: string;
  readonly verb: string;
  /** Such as `services shop/web-west` or `links/status isthmus-system/west`. */
  readonly what: string;
  readonly code: number;
  readonly receivedAt: string;
  readonly answeredAt: string;
}

/** As much as is read here of an event of audit.k8s.io/v1. */
interface RawEntry {
  stage?: string;
  verb?: string;
  user?: { extra?: Record<string, string[]> };
  objectRef?: { resource?: string; subresource?: string; namespace?: string; name?: string };
  responseStatus?: { code?: number };
  requestReceivedTimestamp?: string;
  stageTimestamp?: string;
}

const POD_NAME = "authentication.kubernetes.io/pod-name";
const WRITES = new Set(["create", "update", "patch", "delete", "deletecollection"]);

/** Everything that replicas of the controller were answered so far, in the order of the answers. */
export function readAudit(path: string): AuditEntry[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines
    .filter((line) => line.endsWith("}") && line.includes(POD_NAME))
    .map((line): RawEntry => JSON.parse(line))
    .filter(({ stage }) => stage === "ResponseComplete" || stage === "Panic")
    .map(({ verb = "", user, objectRef = {}, ...raw }) => ({
      pod: user?.extra?.[POD_NAME]?.[0] ?? "",
      verb,
      what: `${[objectRef.resource, objectRef.subresource].filter(Boolean).join("/")} ${objectRef.namespace ?? ""}/${objectRef.name ?? ""}`,
      code: raw.responseStatus?.code ?? 0,
      receivedAt: raw.requestReceivedTimestamp ?? "",
      answeredAt: raw.stageTimestamp ?? "",
    }))
    .toSorted((left, right) => (left.answeredAt < right.answeredAt ? -1 : 1));
}

/** Writes that the server carried out, but those of the Lease. */
export function writesOf(entries: readonly AuditEntry[], pod?: string): AuditEntry[] {
  return accepted(entries).filter(
    (entry) => !isLease(entry.what) && (pod === undefined || entry.pod === pod),
  );
}

/** Writes of the Lease: takings, renewals and releases. */
export function leaseWrites(entries: readonly AuditEntry[]): AuditEntry[] {
  return accepted(entries).filter(({ what }) => isLease(what));
}

/** The pods that held the Lease, one after the other. */
export function terms(entries: readonly AuditEntry[]): string[] {
  const pods = leaseWrites(entries).map(({ pod }) => pod);
  return pods.filter((pod, index) => pod !== pods[index - 1]);
}

/** How long the Lease lay still before `pod` first wrote it after another had held it, in ms. */
export function pauseBefore(entries: readonly AuditEntry[], pod: string): number {
  const leases = leaseWrites(entries);
  const taking = leases.findIndex(
    (entry, index) => entry.pod === pod && index > 0 && leases[index - 1]?.pod !== pod,
  );
  const [last, first] = [leases[taking - 1], leases[taking]];
  if (last === undefined || first === undefined) return 0;
  return Date.parse(first.receivedAt) - Date.parse(last.answeredAt);
}

/**
 * Writes that reached the server outside of a term of their replica, whatever
 * became of them: the last to have written the Lease before such a write was
 * answered is another.
 */
export function strayWrites(entries: readonly AuditEntry[]): string[] {
  const leases = leaseWrites(entries);
  const attempts = entries.filter(({ verb, what }) => WRITES.has(verb) && !isLease(what));
  return attempts.flatMap((write) => {
    const last = leases.findLast(({ receivedAt }) => receivedAt <= write.answeredAt);
    if (last?.pod === write.pod) return [];
    return `${write.answeredAt} ${write.pod} ${write.verb} ${write.what}: ${write.code}; lease: ${last?.pod ?? "nobody"} since ${last?.receivedAt ?? ""}`;
  });
}

function isLease(what: string): boolean {
  return what.startsWith("leases ");
}

function accepted(entries: readonly AuditEntry[]): AuditEntry[] {
  return entries.filter(({ verb, code }) => WRITES.has(verb) && code >= 200 && code < 300);
}
