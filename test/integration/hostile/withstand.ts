import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Condition } from "../../../api/conditions.ts";
import { ANNOTATIONS, CONTROLLER_NAME, LABELS } from "../../../api/names.ts";
import type { EndpointSlice, Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import { poll } from "../../bed/poll.ts";
import type { Fault, FaultRule } from "../../faults/fault-proxy.ts";
import { eventually } from "../fixtures.ts";
import { conditionsOf, type Name, type TwoLinks, untilSays } from "./two-links.ts";

const NAMESPACE = "default";
const CLOSE_LOOK_MS = 5;
/** Rates are of this time at least. */
const RATE_OVER_SECONDS = 3;

/** Something that goes wrong on the way to west's API, and what the Link says of it. */
export interface Trouble {
  /** Begins it and returns how to end it. */
  begin(links: TwoLinks): () => void;
  type: Condition["type"];
  says: string;
  message?: RegExp;
}

/** What was seen while the trouble lasted. */
export interface Seen {
  /** Requests that reached the proxy in front of west, by second. */
  readonly requestsPerSecond: number;
  /** From the annotation in north to the mirror in the consumer. */
  readonly northMs: number;
}

/** Trouble by a fault on requests, all of them unless told which, until it ends. */
export function faulty(fault: Fault, match: FaultRule["match"] = () => true): Trouble["begin"] {
  return ({ proxy }) => {
    const release = proxy.inject({ match, fault, times: Infinity });
    proxy.cutWatches();
    return release;
  };
}

/**
 * Lets the trouble begin, and sees that west's Link says what is wrong, that
 * north goes on as if nothing were, with the same writes as ever, and that
 * west heals by itself with nothing lost once the trouble ends.
 */
export async function withstands(links: TwoLinks, name: string, trouble: Trouble): Promise<Seen> {
  const { east, providers, proxy } = links;
  await links.relinkWest();
  await untilMade(links, `${name}-before`);
  const north = await verdictsOf(east, "north");
  const requestsBefore = proxy.requests.length;
  const beganMs = performance.now();
  const end = trouble.begin(links);
  let northMs: number;
  let requestsPerSecond: number;
  try {
    await untilSays(links, "west", trouble.type, trouble.says, trouble.message);
    await exportService(providers.west, `${name}-during`);
    northMs = await mirrorMs(links, `${name}-during`);
    await untilMade(links, `${name}-during`);
    // Trouble begins with some requests that all come at once.
    const seconds = Math.max((performance.now() - beganMs) / 1000, RATE_OVER_SECONDS);
    requestsPerSecond = (proxy.requests.length - requestsBefore) / seconds;
  } finally {
    end();
  }
  await untilMirrored(links, "west", `${name}-during`);
  await untilSays(links, "west", "ApiReachable", "True Synced");
  await untilSays(links, "west", "Ready", "True LinkReady");
  expect(links.controller.leading).toBe(true);
  expect(await verdictsOf(east, "north")).toEqual(north);
  return { requestsPerSecond, northMs };
}

/** What a mirror takes, and not one write more. */
const MADE = { "create services": 1, "create endpointslices": 1, "create endpoints": 1 };

/** Waits until a mirror in north was made as ever: the audit log has its writes a moment after their answers. */
async function untilMade(links: TwoLinks, name: string): Promise<void> {
  await eventually(async () => expect(await northWrites(links, name)).toEqual(MADE), {
    describe: `the writes for ${name} are as ever`,
    timeoutMs: 20_000,
  });
}

async function verdictsOf(east: KubeClient, name: Name): Promise<string[]> {
  const conditions = await conditionsOf(east, name);
  return conditions.map(
    ({ type, status, reason, lastTransitionTime }) =>
      `${type} ${status} ${reason} ${type === "Ready" ? lastTransitionTime : ""}`,
  );
}

/** Exports a Service of this name in north and returns how long its mirror took, in milliseconds. */
export async function mirrorMs(links: TwoLinks, name: string): Promise<number> {
  const { north } = links.providers;
  const key = { namespace: NAMESPACE, name };
  await makeService(north, name, {});
  const export_ = { metadata: { annotations: { [ANNOTATIONS.export]: "true" } } };
  const beganMs = performance.now();
  await north.patch(RESOURCES.services, key, export_, { type: "merge" });
  await poll(
    `a mirror of ${name}`,
    async () => await links.east.find(RESOURCES.services, { ...key, name: `${name}-north` }),
    { timeoutMs: 20_000, intervalMs: CLOSE_LOOK_MS },
  );
  const took = performance.now() - beganMs;
  await untilMirrored(links, "north", name);
  return took;
}

/** Makes a Service with an endpoint that is ready, exported from the first moment. */
export async function exportService(
  admin: KubeClient,
  name: string,
  annotations: Record<string, string> = {},
): Promise<void> {
  await makeService(admin, name, { ...annotations, [ANNOTATIONS.export]: "true" });
}

async function makeService(
  admin: KubeClient,
  name: string,
  annotations: Record<string, string>,
): Promise<void> {
  const metadata = { namespace: NAMESPACE, name };
  await admin.create<EndpointSlice>(RESOURCES.endpointSlices, {
    metadata: { ...metadata, labels: { [LABELS.serviceName]: name } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.9.9.9"], conditions: { ready: true } }],
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  });
  await admin.create<Service>(RESOURCES.services, {
    metadata: { ...metadata, annotations },
    spec: { ports: [{ name: "http", port: 80 }] },
  });
}

/** Waits until the mirror of a Service is there with all its objects, and open. */
export async function untilMirrored(
  { east }: TwoLinks,
  link: Name,
  name: string,
  timeoutMs = 60_000,
): Promise<Service> {
  const key = { namespace: NAMESPACE, name: `${name}-${link}` };
  return await poll(
    `open mirror ${key.name}`,
    async () => {
      const mirror = await east.find<Service>(RESOURCES.services, key);
      const state = mirror?.metadata.annotations?.[ANNOTATIONS.state];
      if (state !== "open") throw new Error(JSON.stringify(mirror?.metadata.annotations));
      // The last of its objects.
      return (await east.find(RESOURCES.endpoints, key)) === undefined ? undefined : mirror;
    },
    { timeoutMs },
  );
}

/** As much as is read of an event of audit.k8s.io/v1. */
interface AuditEntry {
  stage?: string;
  verb?: string;
  user?: { username?: string };
  objectRef?: { resource?: string; name?: string };
  responseStatus?: { code?: number };
}

const WRITES = new Set(["create", "update", "patch", "delete"]);

/** A write that the consumer's API server carried out for the controller, in their order. */
export interface ControllerWrite {
  readonly verb: string;
  readonly resource: string;
  readonly name: string;
}

export function controllerWrites({ auditLogPath }: TwoLinks): ControllerWrite[] {
  const writes: ControllerWrite[] = [];
  for (const line of readFileSync(auditLogPath, "utf8").split("\n")) {
    if (!line.includes(`:${CONTROLLER_NAME}"`) || !line.endsWith("}")) continue;
    const { stage, verb = "", user, objectRef = {}, responseStatus }: AuditEntry = JSON.parse(line);
    const ours = user?.username?.endsWith(`:${CONTROLLER_NAME}`) === true;
    const written = stage === "ResponseComplete" && (responseStatus?.code ?? 500) < 300;
    if (!ours || !written || !WRITES.has(verb)) continue;
    writes.push({ verb, resource: objectRef.resource ?? "", name: objectRef.name ?? "" });
  }
  return writes;
}

/** Successful writes of the controller for the mirror of a Service of north by `verb resource`; without one it makes it first. */
async function northWrites(links: TwoLinks, name: string): Promise<Record<string, number>> {
  const key = { namespace: NAMESPACE, name };
  if ((await links.providers.north.find(RESOURCES.services, key)) === undefined) {
    await mirrorMs(links, name);
  }
  const counts: Record<string, number> = {};
  for (const write of controllerWrites(links)) {
    if (!write.name.includes(`${name}-north`)) continue;
    const what = `${write.verb} ${write.resource}`;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}
