import { type Finding, findingsOf } from "../report.ts";
import type { ClusterFacts } from "../facts/cluster-facts.ts";
import type { Fact } from "../fact.ts";
import type { AccountRights } from "../facts/rights.ts";

/** Tokens and certificates stand so much; a leaf is valid from 15 minutes before it was made. */
const FAIL_MS = 10 * 60_000;
const WARN_MS = 30_000;
/** A kubelet renews its Lease every 10 s; one that is late by more than this is no kubelet at work. */
const NODE_LEASE_LATE_MS = 50_000;

/** What clocks of a cluster said. Pure. */
export function judgeClusterClocks(
  facts: ClusterFacts,
  apiServer: Fact<AccountRights> | undefined,
): Finding[] {
  return [
    ...(apiServer === undefined ? [] : [judgeApiServer(facts.context, apiServer)]),
    judgeNodes(facts),
  ];
}

/** A clock that was seen to be so much ahead of another. Pure. */
export function judgeAhead(
  about: string,
  aheadMs: number,
  { clock, other }: { clock: string; other: string },
): Finding {
  const { ok, warn, fail } = findingsOf("clock-skew", about);
  const apartMs = Math.abs(aheadMs);
  const seconds = Math.round(apartMs / 1000);
  const seen = `${clock} is ${seconds} s ${aheadMs > 0 ? "ahead of" : "behind"} ${other}`;
  const fix = "set both clocks by NTP: certificates and tokens are judged by them";
  if (apartMs >= FAIL_MS) return fail(seen, fix);
  return apartMs >= WARN_MS
    ? warn(seen, fix)
    : ok(`${clock} and ${other} agree within ${WARN_MS / 1000} s`);
}

function judgeApiServer(context: string, rights: Fact<AccountRights>): Finding {
  const about = `API server of context ${context}`;
  const { skip } = findingsOf("clock-skew", about);
  if ("unknown" in rights) return skip(rights.unknown);
  const { aheadMs } = rights.value;
  if (aheadMs === undefined) return skip("its tokens do not say when they were issued");
  return judgeAhead(about, aheadMs, { clock: "its clock", other: "that of this machine" });
}

function judgeNodes({ context, nodes, nodeLeases, nowMs }: ClusterFacts): Finding {
  const about = `nodes of context ${context}`;
  const { ok, skip } = findingsOf("clock-skew", about);
  if ("unknown" in nodes) return skip(nodes.unknown);
  if ("unknown" in nodeLeases) return skip(nodeLeases.unknown);
  const ready = new Set(
    nodes.value
      .filter(({ status }) =>
        status?.conditions?.some(({ type, status: state }) => type === "Ready" && state === "True"),
      )
      .map(({ metadata }) => metadata.name),
  );
  const seen = nodeLeases.value
    .filter(({ metadata }) => ready.has(metadata.name))
    .map(({ metadata, spec }) => ({
      node: metadata.name,
      aheadMs: aheadOf(Date.parse(spec?.renewTime ?? "") - nowMs),
    }))
    .filter(({ aheadMs }) => !Number.isNaN(aheadMs));
  const worst = seen.toSorted((a, b) => Math.abs(b.aheadMs) - Math.abs(a.aheadMs))[0];
  if (worst === undefined) return skip("no Ready node has a Lease in kube-node-lease");
  if (Math.abs(worst.aheadMs) < WARN_MS) {
    return ok(`${seen.length} nodes agree with this machine, as far as their Leases tell`);
  }
  const clock = `the clock of node ${worst.node}`;
  return judgeAhead(about, worst.aheadMs, { clock, other: "that of this machine" });
}

/** A Lease may be as old as a kubelet takes to renew it: only what is older, or of the future, is its clock's. */
function aheadOf(renewedMs: number): number {
  if (renewedMs >= 0) return renewedMs;
  return renewedMs < -NODE_LEASE_LATE_MS ? renewedMs : 0;
}
