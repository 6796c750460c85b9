import { type Link, linkSpecSchema } from "../../../../api/link.ts";
import { GATEWAY_TLS_SECRET_NAME, INGRESS_PORT, INSTALL_NAMESPACE } from "../../../../api/names.ts";
import {
  gatewaysReportSchema,
  type GatewayReport,
  type GatewaysRequest,
} from "../../../probe/report.ts";
import { type Fact, whyUnknown } from "../fact.ts";
import type { PodTemplateSpec } from "./cluster-facts.ts";
import { probePod, type ProbeRun, runProbe } from "./probe-pod.ts";

type LinkRequest = GatewaysRequest["links"][number];

/** Linux takes no environment variable of more than 128 KiB; a Link's trust bundle has 64 KiB at most. */
const MAX_REQUEST_BYTES = 96 * 1024;
/** Longer than the probe needs for addresses that all hang. */
const DEADLINE_SECONDS = 60;

/** What a Link's gateway is dialled with; undefined when its spec cannot be read. */
function requestOf({ metadata, spec, status }: Link): LinkRequest | undefined {
  const parsed = linkSpecSchema.safeParse(spec);
  if (!parsed.success) return undefined;
  const { gateway, trustBundle } = parsed.data;
  return {
    name: metadata.name,
    addresses: gateway.addresses ?? status?.gatewayAddresses ?? [],
    port: gateway.port ?? status?.gatewayPort ?? INGRESS_PORT,
    identity: gateway.identity,
    trustBundle,
  };
}

/** Links in as few pods as their requests fit into. Pure. */
export function packRequests(links: readonly LinkRequest[]): LinkRequest[][] {
  const packs: { links: LinkRequest[]; bytes: number }[] = [];
  for (const link of links) {
    const bytes = Buffer.byteLength(JSON.stringify(link)) + 1;
    const last = packs.at(-1);
    if (last !== undefined && last.bytes + bytes <= MAX_REQUEST_BYTES) {
      last.links.push(link);
      last.bytes += bytes;
    } else {
      packs.push({ links: [link], bytes });
    }
  }
  return packs.map((pack) => pack.links);
}

/**
 * Looks at the gateways of Links from a pod of this cluster, with the certificate of its gateways and along the path
 * that traffic takes.
 * @returns by Link's name what the pod found, or why there was none
 * @throws the signal's reason when it aborts, and nothing else
 */
export async function probeGateways(
  links: readonly Link[],
  { ownCluster, like }: { ownCluster: string; like: PodTemplateSpec },
  run: ProbeRun,
): Promise<Map<string, Fact<readonly GatewayReport[]>>> {
  const facts = new Map<string, Fact<readonly GatewayReport[]>>();
  const requests: LinkRequest[] = [];
  for (const link of links) {
    const request = requestOf(link);
    if (request === undefined) {
      facts.set(link.metadata.name, { unknown: "its spec cannot be read: see link-conditions" });
    } else if (request.addresses.length === 0) {
      facts.set(request.name, { value: [] });
    } else {
      requests.push(request);
    }
  }
  for (const pack of packRequests(requests)) {
    const pod = probePod({
      namespace: INSTALL_NAMESPACE,
      like,
      mode: "gateways",
      request: { ownCluster, links: pack } satisfies GatewaysRequest,
      leafSecret: GATEWAY_TLS_SECRET_NAME,
      pullSecrets: true,
      deadlineSeconds: DEADLINE_SECONDS,
    });
    try {
      const { gateways } = gatewaysReportSchema.parse(JSON.parse(await runProbe(pod, run)));
      for (const { name } of pack) {
        facts.set(name, { value: gateways.filter(({ link }) => link === name) });
      }
    } catch (error) {
      run.signal.throwIfAborted();
      for (const { name } of pack) facts.set(name, { unknown: whyUnknown(error) });
    }
  }
  return facts;
}
