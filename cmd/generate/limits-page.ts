import { PATH_TEST_MAX_BYTES } from "../../api/names.ts";
import { MAX_PATH_TESTS, PATH_TEST_DEADLINE_MS } from "../../gateway/ingress/path-tests.ts";
import { ATTACKS, LIMIT_NOTES } from "../../gateway/limits/limit-notes.ts";
import {
  BURST_SECONDS,
  DEFAULT_GATEWAY_LIMITS,
  flagOf,
  type gatewayLimitsSchema,
} from "../../gateway/limits/limits.ts";
import { MAX_ADDRESSES } from "../../gateway/egress/gateway-names.ts";
import { MAX_LOOKS } from "../../gateway/ingress/authorize.ts";
import { MAX_AGED } from "../../gateway/session/session-slot.ts";
import { DIRECTION_BUFFER_BYTES } from "../../gateway/stream/pump.ts";
import { table } from "./markdown.ts";

type LimitName = keyof typeof gatewayLimitsSchema.shape;

/** docs/LIMITS.md, from the bounds that the code has. */
export function limitsPage(): string {
  return [
    "# Bounds of the gateway",
    "What one peer, one tenant or one unauthenticated client can make the gateway do is bounded. Each bound is a flag of `isthmus-gateway`; a value that makes no sense ends the start with exit code 2 and the flag's name.",
    `Each time that a bound is reached counts in \`isthmus_gateway_bound_reached_total{role,bound,link}\`, under the name in the last column; \`link\` is the Link or the peer, empty before a client has shown who it is. A line \`bound reached\` goes to the log, at most one in 10 s for each. Rates allow a burst of ${BURST_SECONDS} s' worth. A peer at its bounds takes no place from the others: bounds that all share keep a part for each. What all do share is one event loop: beside a peer that floods from a core of its own, on two cores, another peer's requests went on at 0.6 of their rate, with waits of up to 0.2 s ([figures](benchmarks.md)).`,
    "## Flags",
    table(
      ["Flag", "Default", "Unit", "Role", "Of", "Beyond it", "`bound`"],
      Object.entries(DEFAULT_GATEWAY_LIMITS).map(([limit, value]) => rowOf(limit, value)),
    ),
    "## Bounds that are no flags",
    [
      `- A link uses ${MAX_ADDRESSES} addresses of its provider's gateway at most, those that names stand for included.`,
      `- A place for a session has ${MAX_AGED} old sessions at most whose streams have not ended; then it waits with the next renewal for its age.`,
      `- Path tests of peers (\`link check\`): ${MAX_PATH_TESTS} at once for all peers, ${PATH_TEST_MAX_BYTES / 1024} KiB each way, ${PATH_TEST_DEADLINE_MS / 1000} s; more are refused.`,
      `- Of a Service's endpoints ${MAX_LOOKS} are looked at for one connection, and two of them tried.`,
      `- In one direction of a stream ${DIRECTION_BUFFER_BYTES / 1024} KiB wait in a gateway before its source is read no further.`,
    ].join("\n"),
    "## Known attacks on HTTP/2",
    "Each is tried with raw frames over a real mutually authenticated session (`floods.test.ts`, `bounds.test.ts` and `bounds-of-payload.test.ts` in `test/integration/gateway`; providers' attacks in `malicious-provider.test.ts`), while another peer's connections go on. What is said of nghttp2 and node:http2 is what Node 24 does; the tests would tell if another version did not.",
    table(
      ["CVE", "Attack", "Answer"],
      ATTACKS.map(({ cves, name, answer }) => [cves, name, answer]),
    ),
    "## What is not bounded",
    "A session that answers PINGs is never ended for having no streams: mirrors are idle for hours, and dialling anew would cost the first client of each pause a handshake. Its cost is bounded by `--max-sessions-per-peer`. Payload has no bound of its own: a peer that sends as fast as it can is slowed by the endpoint that takes it.",
    "",
  ].join("\n\n");
}

function rowOf(limit: string, value: number): string[] {
  const { role, what, beyond, bound } = LIMIT_NOTES[nameOf(limit)];
  const label = bound === undefined ? "" : `\`${bound}\``;
  return [`\`--${flagOf(limit)}\``, String(value), unitOf(limit), role, what, beyond, label];
}

function nameOf(limit: string): LimitName {
  const names: readonly string[] = Object.keys(LIMIT_NOTES);
  const isName = (text: string): text is LimitName => names.includes(text);
  if (!isName(limit)) throw new Error(`${limit} has no note`);
  return limit;
}

function unitOf(limit: string): string {
  if (limit.endsWith("Ms")) return "ms";
  if (limit.endsWith("Mb")) return "MB";
  const unit = limit.includes("Bytes") ? "bytes" : "";
  return limit.endsWith("PerSecond") ? `${unit} a second`.trim() : unit;
}
