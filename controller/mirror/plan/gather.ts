import { errorMessage } from "../../../api/errors.ts";
import { decideExport, type ExportDecision } from "../../../api/export.ts";
import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import { keyOf, type KubeObject, type Service, splitKey } from "../../../api/objects.ts";
import { formatSource } from "../../../api/ownership.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { Store } from "../../../kube/reflector/store.ts";
import type { LinkView, LinkViews } from "../../link/link-view.ts";
import type { OwnClusterCaches } from "../../own-cluster/caches.ts";
import type { GatewayPod } from "../../own-cluster/gateway-pods.ts";
import { type Claim, claimsOn, isShadowed, mirrorNameOf, sourceNameOf, winnerOf } from "./names.ts";
import { type OwnObjects, type Purpose, purposeOf } from "../mirror-writer/own-objects.ts";
import type { MirrorState } from "./plan.ts";
import { type Candidate, isSelected, MAX_MIRROR_PORTS } from "./policies.ts";
import type { PortAllocator } from "../port-allocator.ts";

/** Where the state of a decision is read from: caches, never the API server. */
export interface GatherSources {
  readonly caches: OwnClusterCaches;
  readonly own: OwnObjects;
  readonly links: LinkViews;
  /** The Links of this cluster, completely listed. */
  readonly linkObjects: Store<KubeObject>;
  readonly allocator: PortAllocator;
  readonly ownClusterName: string;
  gateways(): readonly GatewayPod[];
}

/** Everything a decision about one source of one link needs; all of the source is admitted. */
export function gatherState(sources: GatherSources, purpose: Purpose): MirrorState {
  const { links, own, allocator, caches } = sources;
  const view = links.get(purpose.link);
  const { namespace = "" } = splitKey(purpose.sourceKey);
  const reading = view?.remote?.readingOf?.(purpose.sourceKey);
  const source = view?.remote?.services.get(purpose.sourceKey);
  const candidate = view && source ? candidateOf(sources, view, source) : undefined;
  return {
    linkExists: linkExists(sources, purpose.link),
    view,
    mirrors: own.mirrorsOf(purpose.link, purpose.sourceKey),
    candidate,
    damping: { admitted: "ready", flapping: false },
    sourceReady: view?.remote?.hasReadyEndpoint(purpose.sourceKey) ?? false,
    egressPorts:
      candidate?.decision.kind === "exported"
        ? allocator.propose(
            candidate.mirrorKey,
            sourceText(candidate),
            candidate.decision.offer.ports,
          )
        : undefined,
    gateways: sources.gateways(),
    outside: caches.namespaces.only?.has(namespace) === false,
    unread: reading === "pending" || reading === "denied" ? reading : undefined,
  };
}

/** Whether this cluster has a Link of that name. */
export function linkExists({ linkObjects }: GatherSources, link: string): boolean {
  return linkObjects.get(`${INSTALL_NAMESPACE}/${link}`) !== undefined;
}

/** The sources, one of each link at most, whose mirror would have this key; whether they exist is left open. */
export function sourcesNamed(links: LinkViews, mirrorKey: string): Purpose[] {
  const { namespace = "", name } = splitKey(mirrorKey);
  return links.list().flatMap((view) => {
    const sourceName = sourceNameOf(view, name);
    return sourceName === undefined
      ? []
      : [{ link: view.name, sourceKey: `${namespace}/${sourceName}` }];
  });
}

/** Who wants the mirror of this key now, of the links whose provider is known. */
export function claimsOf(sources: GatherSources, mirrorKey: string): Claim[] {
  const views = sources.links.list().filter(({ deleting }) => !deleting);
  return claimsOn(mirrorKey, views, (view, source) =>
    isSelected(unrivalled(sources, view, source)),
  );
}

function candidateOf(sources: GatherSources, view: LinkView, source: Service): Candidate {
  const candidate = unrivalled(sources, view, source);
  const claims = claimsOf(sources, candidate.mirrorKey);
  const holder = purposeOf(candidate.occupant);
  const winner =
    holder && isUnknown(sources, holder.link)
      ? { ...holder, createdAt: "" }
      : winnerOf(claims, holder && { ...holder, createdAt: "" });
  const isRival =
    winner !== undefined && (winner.link !== view.name || winner.sourceKey !== keyOf(source));
  return { ...candidate, rival: isRival ? winner : undefined };
}

function unrivalled(sources: GatherSources, view: LinkView, source: Service): Candidate {
  const { caches, links, ownClusterName } = sources;
  const { namespace = "", name } = source.metadata;
  const mirrorKey = `${namespace}/${mirrorNameOf(view, name)}`;
  return {
    view,
    shadowed: isShadowed(view, links.list()),
    ownClusterName,
    source,
    ...boundedDecision(source),
    mirrorKey,
    occupant: caches.services.store.get(mirrorKey),
    rival: undefined,
    namespace: caches.namespaces.store.get(namespace),
    restricted: caches.namespaces.only !== undefined,
  };
}

/** Whether nothing can be said yet of what this link wants: its mirrors keep their names. */
function isUnknown(sources: GatherSources, link: string): boolean {
  const view = sources.links.get(link);
  return view === undefined
    ? linkExists(sources, link)
    : view.remote === undefined && !view.deleting;
}

function sourceText({ view, source }: Candidate): string {
  const { namespace = "", name } = source.metadata;
  return formatSource({ cluster: view.clusterName, namespace, name });
}

/** What is exported of the source, of its TCP ports the first so many. */
function boundedDecision(source: Service): Pick<Candidate, "decision" | "surplusPorts"> {
  const decision = readDecision(source);
  if (decision.kind !== "exported") return { decision, surplusPorts: 0 };
  const { ports } = decision.offer;
  const offer = { ...decision.offer, ports: ports.slice(0, MAX_MIRROR_PORTS) };
  return { decision: { ...decision, offer }, surplusPorts: ports.length - offer.ports.length };
}

/** A source whose fields are not what an API server answers must not stop the decision about others. */
function readDecision(source: Service): ExportDecision {
  try {
    return decideExport(source);
  } catch (error) {
    const message = `Service ${keyOf(source)} cannot be read: ${errorMessage(error)}`;
    return { kind: "refused", refusal: { reason: REASONS.ExportInvalid, message } };
  }
}
