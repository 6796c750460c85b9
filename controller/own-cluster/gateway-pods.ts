import { isIP } from "node:net";
import type { Pod, Service } from "../../api/objects.ts";

export type IpFamily = "IPv4" | "IPv6";

/** An egress gateway that takes connections now. */
export interface GatewayPod {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly nodeName: string | undefined;
  readonly addresses: Partial<Record<IpFamily, string>>;
}

/**
 * The Ready egress gateways among `pods`, in the order of their names. One that
 * terminates is left out from its first second: it closes its ports before it goes.
 */
export function readyGateways(pods: readonly Pod[]): GatewayPod[] {
  return pods
    .filter(isReady)
    .map((pod) => ({
      name: pod.metadata.name,
      namespace: pod.metadata.namespace ?? "",
      uid: pod.metadata.uid ?? "",
      nodeName: pod.spec?.nodeName,
      addresses: addressesOf(pod),
    }))
    .toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

/** The IP families of a Service, those of EndpointSlices; IPv4 before the API server chose. */
export function ipFamiliesOf({ spec }: Service): IpFamily[] {
  const families = (spec?.ipFamilies ?? []).filter(
    (family) => family === "IPv4" || family === "IPv6",
  );
  return families.length === 0 ? ["IPv4"] : families;
}

function isReady({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status?.phase === "Running" &&
    (status.conditions ?? []).some(
      ({ type, status: value }) => type === "Ready" && value === "True",
    )
  );
}

function addressesOf({ status }: Pod): Partial<Record<IpFamily, string>> {
  const addresses: Partial<Record<IpFamily, string>> = {};
  for (const { ip } of status?.podIPs ?? []) {
    const family = isIP(ip);
    if (family === 4) addresses.IPv4 ??= ip;
    if (family === 6) addresses.IPv6 ??= ip;
  }
  return addresses;
}
