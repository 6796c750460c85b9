import type { GatewayReport, WayReport } from "../../../probe/report.ts";
import type { Fact } from "../fact.ts";
import { type Finding, findingsOf } from "../report.ts";
import { judgeAhead } from "./clocks.ts";

/** Around a payload: frame of HTTP/2, record of TLS 1.3, headers of TCP with timestamps and of IPv4. */
const OVERHEAD_BYTES = 83;

const MTU_FIX =
  "let ICMP 'fragmentation needed' through on the way, or give the pods' network a smaller MTU, or clamp the MSS where the path narrows";

/** What a pod of this cluster found of one Link's gateway addresses. Pure. */
export function judgeGateways(link: string, reports: Fact<readonly GatewayReport[]>): Finding[] {
  const about = `Link ${link}`;
  if ("unknown" in reports) {
    return (["gateway-reachable", "path-mtu", "clock-skew"] as const).map((id) =>
      findingsOf(id, about).skip(reports.unknown),
    );
  }
  return [
    judgeReachable(about, reports.value),
    ...reports.value.map((report) => judgePath(`${about}, ${whereIs(report)}`, report)),
    ...reports.value.flatMap((report) => judgeClock(`${about}, ${whereIs(report)}`, report)),
  ];
}

function judgeReachable(about: string, reports: readonly GatewayReport[]): Finding {
  const { ok, warn, fail } = findingsOf("gateway-reachable", about);
  const failing = reports.filter(({ stage }) => stage !== "done");
  const words = failing.map(
    (report) => `${whereIs(report)} ${STAGES[report.stage]}: ${report.failure?.message ?? ""}`,
  );
  if (reports.length === 0) {
    return fail("it has no gateway address", "see gateway-address of the provider");
  }
  const fix =
    "check the address, firewalls and NetworkPolicies between the pods of this cluster and the provider's gateway";
  if (failing.length === reports.length) return fail(words.join("; "), fix);
  if (failing.length > 0) return warn(words.join("; "), fix);
  const seen = reports.map(
    (report) => `${whereIs(report)} answers in ${(report.rttMs ?? 0).toFixed(1)} ms`,
  );
  return ok(seen.join(", "));
}

const STAGES: Readonly<Record<GatewayReport["stage"], string>> = {
  connect: "does not take a TCP connection",
  handshake: "takes a TCP connection, and the TLS handshake fails",
  answer: "is connected, and does not answer",
  done: "answers",
};

function judgePath(about: string, report: GatewayReport): Finding {
  const { ok, fail, skip } = findingsOf("path-mtu", about);
  const { up, down } = report;
  if (report.refuses === true) {
    return fail(
      "a handshake under a foreign name is refused at once, and our own gets no answer: what is small passes, and the packet with the gateway's certificates, of about 1000 bytes, is swallowed",
      MTU_FIX,
    );
  }
  if (up === undefined || down === undefined) {
    return skip("there is no session to try it over: see gateway-reachable");
  }
  const ways = [
    { way: "to the gateway", report: up },
    { way: "from the gateway", report: down },
  ];
  const stuck = ways.filter(({ report: { stuckAtBytes } }) => stuckAtBytes !== undefined);
  if (stuck.length > 0) {
    const words = stuck.map(({ way, report: seen }) => describeStuck(way, seen));
    // The size that got stuck was tried again over a session that had just come up.
    const isSize = stuck.some(({ report: seen }) => largestOf(seen) > 0);
    if (isSize) return fail(words.join("; "), MTU_FIX);
    return fail(
      `${words.join("; ")}: the path went dead while it was tried, at no size in particular`,
      "see gateway-reachable, and give the command again",
    );
  }
  if (report.smallHandshake === true) {
    return fail(
      "the TLS handshake as gateways make it, whose first message fills a packet, fails, and one with smaller messages passes",
      MTU_FIX,
    );
  }
  const untested = ways.find(({ report: seen }) => seen.untested !== undefined);
  if (untested !== undefined) return skip(`${untested.way}: ${untested.report.untested ?? ""}`);
  return ok(`payloads up to ${Math.min(largestOf(up), largestOf(down))} bytes pass both ways`);
}

function describeStuck(way: string, report: WayReport): string {
  const { stuckAtBytes = 0 } = report;
  const largest = largestOf(report);
  const passed = largest === 0 ? "nothing passes" : `payloads of ${largest} bytes pass`;
  const packets = `packets of about ${stuckAtBytes + OVERHEAD_BYTES} bytes are swallowed`;
  return `${way} ${passed}, those of ${stuckAtBytes} do not: ${packets}`;
}

function largestOf({ passedBytes }: WayReport): number {
  return passedBytes.at(-1) ?? 0;
}

function judgeClock(about: string, { aheadMs }: GatewayReport): Finding[] {
  if (aheadMs === undefined) return [];
  const names = { clock: "the gateway's clock", other: "that of a pod here" };
  return [judgeAhead(about, aheadMs, names)];
}

function whereIs({ address, port }: GatewayReport): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
