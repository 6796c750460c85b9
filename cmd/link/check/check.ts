import type { Clock } from "../../../api/clock.ts";
import type { Link } from "../../../api/link.ts";
import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { renderManifests } from "../install/manifests.ts";
import { linkNotFound } from "../not-found.ts";
import type { Reporter } from "../reporter.ts";
import { gatewayPods, seeCluster, type SeenCluster } from "./cluster.ts";
import { type Fact, known, lookUp } from "./fact.ts";
import { gatherCluster } from "./facts/cluster-facts.ts";
import { tryEndToEnd } from "./facts/end-to-end.ts";
import type { Right } from "./facts/expected-rights.ts";
import { probeGateways } from "./facts/gateway-probes.ts";
import { gatherLinkToken } from "./facts/link-tokens.ts";
import { gatherMirrors } from "./facts/mirror-facts.ts";
import { deniedOf } from "./facts/rights.ts";
import { judgeLinkTrust, judgePeerTrust, providerOf } from "./judge/certificates.ts";
import { judgeEndToEnd } from "./judge/end-to-end.ts";
import { judgeGateways } from "./judge/gateways.ts";
import { judgeVersionSkew } from "./judge/installation.ts";
import {
  judgeConditions,
  judgeEgressPorts,
  judgeOutside,
  judgeSkipped,
  judgeToken,
} from "./judge/links.ts";
import { judgeClusterClocks } from "./judge/clocks.ts";
import { judgeBeforeInstall, judgePlatform } from "./judge/platform.ts";
import { type CheckReport, type Finding, findingsOf, reportOf } from "./report.ts";

/** Who looks: every check has these. */
interface Looking {
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface PreCheckOptions extends Looking {
  readonly access: ClusterAccess;
}

export interface CheckOptions extends Looking {
  /** The consumer, or any one cluster. */
  readonly access: ClusterAccess;
  /** The provider of a Link: it is looked at, too, and a Service of its own tried from end to end. */
  readonly provider?: ClusterAccess | undefined;
  /** Only these Links; all when empty. */
  readonly linkNames: readonly string[];
  /** Whether pods may be started: without them nothing is known of the path between the clusters. */
  readonly probe: boolean;
  /** How long each pod may take. */
  readonly timeoutMs: number;
}

/** What stands in the way of an installation. Writes nothing. Throws only the signal's reason. */
export async function preChecks(options: PreCheckOptions): Promise<CheckReport> {
  const { access, reporter, clock, signal } = options;
  reporter.progress(`looking at the cluster of context ${access.contextName}`);
  const cluster = await gatherCluster(access, () => clock.nowMs(), signal);
  const denied: Fact<readonly Right[]> = await lookUp(signal, async (limited) => {
    return await deniedOf(access.client, await installRights(), limited);
  });
  return reportOf([
    ...judgePlatform(cluster),
    ...judgeBeforeInstall(cluster, denied),
    ...judgeClusterClocks(cluster, undefined),
  ]);
}

/**
 * Looks at what is installed in one cluster or both, and at Links. Besides pods and a namespace of the check's own,
 * which are removed in every case, it writes nothing.
 * @throws CliError when a Link of `linkNames` does not exist; the signal's reason when it aborts.
 */
export async function runChecks(options: CheckOptions): Promise<CheckReport> {
  const { access, provider: providerAccess, reporter, clock, signal } = options;
  reporter.progress(`looking at the cluster of context ${access.contextName}`);
  const [here, there] = await Promise.all([
    seeCluster(access, { clock, signal }),
    providerAccess && seeCluster(providerAccess, { clock, signal }),
  ]);
  const links = chooseLinks(here, options);
  const findings: Finding[] = [...here.findings, ...(there?.findings ?? [])];
  if (here.record === undefined) return reportOf(findings);
  const mirrors = await gatherMirrors(access, known(here.installation.links) ?? [], signal);
  findings.push(
    ...judgeSkipped(links, mirrors.skipped),
    judgeEgressPorts(mirrors.mirrors),
    ...judgeOutside(mirrors.mirrors, here.record.namespaces),
    ...(await linkFindings(here, there, links, options)),
  );
  if (there !== undefined) {
    findings.push(
      judgeVersionSkew(here.installation, there.installation),
      judgePeerTrust(here.installation, known(there.installation.peers) ?? [], here.cluster.nowMs),
    );
  }
  findings.push(...(await pathFindings(here, links, options)));
  findings.push(...(await endToEndFindings(here, there, links, options)));
  return reportOf(findings);
}

function chooseLinks(
  { access, installation }: SeenCluster,
  { linkNames }: CheckOptions,
): readonly Link[] {
  const links = known(installation.links) ?? [];
  if (linkNames.length === 0) return links;
  const names = links.map(({ metadata }) => metadata.name);
  const missing = linkNames.find((name) => !names.includes(name));
  if (missing !== undefined) throw linkNotFound(access, missing, names);
  return links.filter(({ metadata }) => linkNames.includes(metadata.name));
}

async function linkFindings(
  here: SeenCluster,
  there: SeenCluster | undefined,
  links: readonly Link[],
  { access, signal }: CheckOptions,
): Promise<Finding[]> {
  const { nowMs } = here.cluster;
  const each = await Promise.all(
    links.map(async (link) => {
      const provider = there?.name === providerOf(link) ? there.installation : undefined;
      const token = await gatherLinkToken(access, link, { nowMs, signal });
      return [
        judgeConditions(link, access.contextName),
        judgeToken(link.metadata.name, token, nowMs),
        ...judgeLinkTrust(link, provider, nowMs),
      ];
    }),
  );
  return each.flat();
}

async function pathFindings(
  here: SeenCluster,
  links: readonly Link[],
  options: CheckOptions,
): Promise<Finding[]> {
  if (links.length === 0) return [];
  const like = gatewayPods(here);
  const reason = !options.probe
    ? "not looked at: --no-probe"
    : like === undefined
      ? "not looked at: the Deployment of the gateways, whose image the probe needs, is not known"
      : undefined;
  if (reason !== undefined || like === undefined) {
    const unknown = { unknown: reason ?? "" };
    return links.flatMap(({ metadata }) => judgeGateways(metadata.name, unknown));
  }
  options.reporter.progress("looking at the gateways from a pod of this cluster");
  const run = { ...options, client: options.access.client };
  const facts = await probeGateways(links, { ownCluster: here.name, like }, run);
  return links.flatMap(({ metadata: { name } }) =>
    judgeGateways(name, facts.get(name) ?? { unknown: "not looked at" }),
  );
}

async function endToEndFindings(
  here: SeenCluster,
  there: SeenCluster | undefined,
  links: readonly Link[],
  options: CheckOptions,
): Promise<Finding[]> {
  const skipAll = (message: string) =>
    links.map(({ metadata }) => findingsOf("end-to-end", `Link ${metadata.name}`).skip(message));
  if (!options.probe) return skipAll("not looked at: --no-probe");
  if (there === undefined) {
    return skipAll("not looked at: it needs the provider, too: --provider-context");
  }
  const link = links.find((candidate) => providerOf(candidate) === there.name);
  const [consumerPods, providerPods] = [gatewayPods(here), gatewayPods(there)];
  if (link === undefined)
    return skipAll(`not looked at: it leads to another cluster than ${there.name}`);
  const { name } = link.metadata;
  const make = findingsOf("end-to-end", `Link ${name}`);
  if (consumerPods === undefined || providerPods === undefined) {
    return [make.skip("not looked at: a Deployment of the gateways is not known")];
  }
  const restricted = [here, there].find(({ record }) => (record?.namespaces.length ?? 0) > 0);
  if (restricted !== undefined) {
    const { contextName } = restricted.access;
    return [
      make.skip(
        `not looked at: context ${contextName} uses only the namespaces it was given, and the check needs one of its own`,
      ),
    ];
  }
  const report = await tryEndToEnd({
    linkName: name,
    provider: there.name,
    consumer: here.name,
    providerAccess: there.access,
    consumerAccess: here.access,
    providerPods,
    consumerPods,
    run: options,
  });
  return [judgeEndToEnd(name, report)];
}

/** What the user of a context has to be allowed to do to install. */
async function installRights(): Promise<Right[]> {
  const manifests = await renderManifests({ clusterName: "any" });
  const rights = new Map<string, Right>();
  for (const { resource } of manifests) {
    for (const verb of ["get", "create", "patch"]) {
      rights.set(`${verb} ${resource.group}/${resource.plural}`, {
        verb,
        group: resource.group,
        resource: resource.plural,
        ...(resource.namespaced && { namespace: INSTALL_NAMESPACE }),
      });
    }
  }
  return [...rights.values()];
}
