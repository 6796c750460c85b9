import { asksForExport, decideExport, isOfferedTo } from "../../../api/export.ts";
import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import { type EndpointSlice, keyOf, type Service, type ServicePort } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { parsePeerSpec, type Peer } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { pruneSlice } from "../../../gateway/ingress/endpoint-index.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { listInScope, tryInstallation } from "../installation.ts";
import { listLinks } from "../links.ts";
import { listAll } from "../list-all.ts";
import { requireNamespace } from "../not-found.ts";
import { ReadingGaps } from "../not-read.ts";
import { listSlicesOf } from "../service-slices.ts";
import { linkReport } from "../status/link-report.ts";
import { mirrorReport } from "../status/mirrors.ts";
import { readSkipEvents, skippedServices } from "../status/skipped.ts";
import type { ExportReport, ImportReport, PortReport, ServicesReport } from "./report.ts";

export interface ServicesOptions {
  access: ClusterAccess;
  /** Only Services of this namespace; undefined: of all. */
  namespace?: string | undefined;
  signal: AbortSignal;
}

/** What decides of an export, besides the Service. */
interface ExportFacts {
  /** Names of the clusters that are Peers. */
  readonly peers: readonly string[];
  /** The Service's EndpointSlices; undefined where they could not be read. */
  readonly slices: readonly EndpointSlice[] | undefined;
}

/**
 * Reads which Services this cluster offers to whom, and which of others it has.
 * What cannot be read besides the Services is left out, and the report says so.
 * @throws CliError when Isthmus is not installed, or there is no such namespace; what the API refuses of Services.
 */
export async function readServices(options: ServicesOptions): Promise<ServicesReport> {
  const { access, namespace, signal } = options;
  const gaps = new ReadingGaps(signal);
  const inSystem = { namespace: INSTALL_NAMESPACE, signal };
  const installation = await tryInstallation(access, gaps, signal);
  const [services, links, peers, events] = await Promise.all([
    listInScope<Service>(access, RESOURCES.services, { namespace, installation, signal }),
    gaps.orElse("Links", listLinks(access, signal), []),
    gaps.orElse("Peers", listAll<Peer>(access, RESOURCES.peers, inSystem), []),
    readSkipEvents(access, gaps, signal),
  ]);
  if (services.length === 0 && namespace !== undefined) {
    await requireNamespace(access, namespace, signal);
  }
  const offered = services.filter(asksForExport);
  const slices = await gaps.orElse(
    "EndpointSlices of what is exported",
    listSlicesOf(access, offered, signal),
    undefined,
  );
  const names = peers.map(clusterNameOfPeer).toSorted();
  const mirrors = services.filter(isOurs);
  const skipped = skippedServices(events, links.map(linkReport), mirrors.map(mirrorReport));
  return {
    cluster: installation.clusterName ?? "",
    exports: offered.toSorted(byKey).map((service) =>
      exportReport(service, {
        peers: names,
        slices: slices === undefined ? undefined : (slices.get(keyOf(service)) ?? []),
      }),
    ),
    imports: mirrors.toSorted(byKey).map(importReport),
    skipped:
      namespace === undefined
        ? skipped
        : skipped.filter(({ source }) => source.split("/")[1] === namespace),
    notRead: gaps.list,
  };
}

/** What becomes of a Service that asks to be exported. */
function exportReport(service: Service, { peers, slices }: ExportFacts): ExportReport {
  const { namespace = "", name } = service.metadata;
  const decision = decideExport(service);
  const readyEndpoints = slices?.reduce(
    (sum, slice) => sum + (pruneSlice(slice)?.endpoints?.length ?? 0),
    0,
  );
  const none = { toAll: false, ports: [], consumers: [], notJoined: [] };
  if (decision.kind !== "exported") {
    const { reason, message } =
      decision.kind === "refused" ? decision.refusal : { reason: "", message: "" };
    return { namespace, name, state: "refused", reason, message, ...none, readyEndpoints };
  }
  const { offer } = decision;
  const toAll = offer.consumers === "all";
  const listed = offer.consumers === "all" ? [] : [...offer.consumers];
  return {
    namespace,
    name,
    state: "exported",
    reason: "",
    message: "",
    ports: offer.ports.map(portReport),
    toAll,
    consumers: peers.filter((peer) => isOfferedTo(offer, peer)),
    notJoined: listed.filter((consumer) => !peers.includes(consumer)).toSorted(),
    readyEndpoints,
  };
}

function importReport(service: Service): ImportReport {
  const { namespace = "", name } = service.metadata;
  const { link, source, state, reason, message } = mirrorReport(service);
  const ports = (service.spec?.ports ?? []).map(portReport);
  return { namespace, name, link, source, ports, state, reason, message };
}

function portReport({ name = "", port }: ServicePort): PortReport {
  return { name, port };
}

/** A Peer that is not accepted still says whom it was meant for. */
function clusterNameOfPeer(peer: Peer): string {
  try {
    return parsePeerSpec(peer).clusterName;
  } catch {
    return peer.metadata.name;
  }
}

function byKey(left: Service, right: Service): number {
  return keyOf(left) < keyOf(right) ? -1 : 1;
}
