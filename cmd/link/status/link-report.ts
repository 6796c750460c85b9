import { clusterNameOf, type Link, linkSpecSchema } from "../../../api/link.ts";
import { toKubeTime } from "../../../api/conditions.ts";
import { parseBundle } from "../../../pki/certificate.ts";
import { currentConditions } from "../join/link-ready.ts";
import type { Metrics } from "../metrics-text.ts";
import type {
  AddressReport,
  CertificateReport,
  LinkDetails,
  LinkReport,
  MirrorReport,
} from "./report.ts";

const MEDIAN = 0.5;
const PROBE_SECONDS = "isthmus_link_gateway_probe_duration_seconds";
const ADDRESS_UP = "isthmus_link_gateway_address_up";
const CERTIFICATE_EXPIRY = "isthmus_certificate_expiry_timestamp_seconds";
const TOKEN_EXPIRY = "isthmus_link_token_expiry_timestamp_seconds";

/** A Link in the words of `link status`. */
export function linkReport(link: Link): LinkReport {
  const { metadata, status = {} } = link;
  const spec = linkSpecSchema.safeParse(link.spec);
  const conditions = currentConditions(link);
  const ready = conditions.find(({ type }) => type === "Ready");
  const port = status.gatewayPort === undefined ? "" : `:${status.gatewayPort}`;
  return {
    name: metadata.name,
    cluster: spec.success ? clusterNameOf(link, spec.data) : metadata.name,
    ready: ready?.status ?? "Unknown",
    reason: metadata.deletionTimestamp === undefined ? (ready?.reason ?? "Pending") : "Deleting",
    message: ready?.message ?? "the controller has not looked at it yet",
    mirrored: status.mirroredServices ?? 0,
    skipped: status.skippedServices ?? 0,
    gateway: (status.gatewayAddresses ?? []).map((address) => withPort(address, port)),
    createdAt: metadata.creationTimestamp ?? "",
    conditions,
  };
}

/**
 * A Link with what its mirrors and the controller's metrics say of it.
 * @param metrics of the controller that leads; undefined where they could not be read
 */
export function linkDetails(
  link: Link,
  mirrors: readonly MirrorReport[],
  metrics: Metrics | undefined,
): LinkDetails {
  const report = linkReport(link);
  const { name } = report;
  const own = mirrors.filter((mirror) => mirror.link === name);
  const open = own.filter(({ state }) => state === "open").length;
  return {
    ...report,
    open,
    closed: own.length - open,
    latencyMs: medianMs(metrics, { link: name }),
    addresses: metrics === undefined ? [] : addressesOf(name, metrics),
    tokenExpiresAt: timeOf(metrics?.sum(TOKEN_EXPIRY, { link: name })),
    trustExpiresAt: trustExpiry(link),
  };
}

/** This cluster's own certificates, as the controller that leads shows them. */
export function certificatesOf(metrics: Metrics | undefined): CertificateReport[] {
  return (metrics?.labelValues(CERTIFICATE_EXPIRY, "certificate") ?? []).flatMap((name) => {
    const expiresAt = timeOf(metrics?.sum(CERTIFICATE_EXPIRY, { certificate: name }));
    return expiresAt === undefined ? [] : [{ name, expiresAt }];
  });
}

function addressesOf(link: string, metrics: Metrics): AddressReport[] {
  return metrics.labelValues(ADDRESS_UP, "address", { link }).map((address) => ({
    address,
    up: metrics.sum(ADDRESS_UP, { link, address }) === 1,
    latencyMs: medianMs(metrics, { link, address }),
  }));
}

function medianMs(
  metrics: Metrics | undefined,
  labels: Record<string, string>,
): number | undefined {
  const seconds = metrics?.quantile(PROBE_SECONDS, MEDIAN, labels);
  return seconds === undefined ? undefined : Math.round(seconds * 1e6) / 1000;
}

function trustExpiry(link: Link): string | undefined {
  const spec = linkSpecSchema.safeParse(link.spec);
  if (!spec.success) return undefined;
  try {
    const ends = parseBundle(spec.data.trustBundle).map(({ notAfterMs }) => notAfterMs);
    return toKubeTime(Math.max(...ends));
  } catch {
    // The Link's condition TrustValid says what is wrong with it.
    return undefined;
  }
}

/** RFC 3339 of seconds since the epoch; 0 stands for none. */
function timeOf(seconds: number | undefined): string | undefined {
  return seconds === undefined || seconds === 0 ? undefined : toKubeTime(seconds * 1000);
}

function withPort(address: string, port: string): string {
  return address.includes(":") && port !== "" ? `[${address}]${port}` : `${address}${port}`;
}
