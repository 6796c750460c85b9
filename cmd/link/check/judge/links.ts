import type { Link } from "../../../../api/link.ts";
import { EGRESS_PORT_MAX, EGRESS_PORT_MIN, isEgressPort } from "../../../../api/names.ts";
import { keyOf, type Service } from "../../../../api/objects.ts";
import { REASONS } from "../../../../api/reasons.ts";
import type { TokenInfo } from "../../../../controller/link/credentials/token.ts";
import { currentConditions } from "../../join/link-ready.ts";
import type { SkippedService } from "../../status/report.ts";
import type { Fact } from "../fact.ts";
import { instant } from "../../instant.ts";
import { type Finding, findingsOf } from "../report.ts";

/** Of a token's life; the controller renews it when 30 % are left. */
const TOKEN_LEFT_SHARE = 0.15;
const PORTS_WARN_SHARE = 0.8;
const SHOWN = 5;

const COLLISIONS: ReadonlySet<string> = new Set([REASONS.NameCollision, REASONS.NameTaken]);

/** How many egress ports there are. */
const PORT_COUNT = Array.from(
  { length: EGRESS_PORT_MAX - EGRESS_PORT_MIN + 1 },
  (_none, index) => EGRESS_PORT_MIN + index,
).filter(isEgressPort).length;

/** What a Link's own conditions say. Pure. */
export function judgeConditions(link: Link, context: string): Finding {
  const { name, deletionTimestamp } = link.metadata;
  const { ok, warn, fail } = findingsOf("link-conditions", `Link ${name}`);
  if (deletionTimestamp !== undefined) {
    return warn("it is being deleted", `link status ${name} --context ${context}`);
  }
  const conditions = currentConditions(link);
  const first = conditions.find(({ status }) => status !== "True");
  if (conditions.length === 0) {
    return fail("the controller has not looked at it yet", "see controller-leader");
  }
  if (first === undefined) return ok("all of its conditions are True");
  return fail(
    `${first.type} is ${first.status} (${first.reason}): ${first.message}`,
    `look up ${first.reason} in docs/conditions.md`,
  );
}

/** What a Link's credentials hold: its token, or undefined for another kind of credentials. */
export interface LinkToken {
  readonly secret: string;
  readonly token: TokenInfo | undefined;
}

/** How long the token of a Link is good for. Pure. */
export function judgeToken(linkName: string, fact: Fact<LinkToken>, nowMs: number): Finding {
  const { ok, warn, fail, skip } = findingsOf("token-expiry", `Link ${linkName}`);
  if ("unknown" in fact) return skip(fact.unknown);
  const { secret, token } = fact.value;
  if (token === undefined) return ok(`Secret ${secret} holds no token that expires`);
  const until = instant(token.expiresAtMs);
  const leftMs = token.expiresAtMs - nowMs;
  if (leftMs <= 0) {
    return fail(
      `the token in Secret ${secret} expired at ${until}`,
      "link join again gives a new one",
    );
  }
  if (leftMs < TOKEN_LEFT_SHARE * (token.expiresAtMs - token.issuedAtMs)) {
    return warn(
      `the token in Secret ${secret} ends at ${until}, and should have been renewed by now`,
      "see controller-leader, and link-conditions: the provider's API has to be reachable",
    );
  }
  return ok(`valid until ${until}`);
}

/** What is exported to this cluster and has no mirror here. Pure. */
export function judgeSkipped(
  links: readonly Link[],
  skipped: Fact<readonly SkippedService[]>,
): Finding[] {
  const about = "this cluster's mirrors";
  const collisions = findingsOf("name-collisions", about);
  const others = findingsOf("services-skipped", about);
  if ("unknown" in skipped) return [collisions.skip(skipped.unknown), others.skip(skipped.unknown)];
  const colliding = skipped.value.filter(({ reason }) => COLLISIONS.has(reason));
  const rest = skipped.value.filter(({ reason }) => !COLLISIONS.has(reason));
  const counted = links.reduce((sum, { status }) => sum + (status?.skippedServices ?? 0), 0);
  const untold = counted - skipped.value.length;
  const findings = [
    colliding.length === 0
      ? collisions.ok("none")
      : collisions.warn(
          describe(colliding),
          "rename one of the two, or set spec.mirror.nameTemplate of the Link",
        ),
  ];
  if (rest.length > 0) {
    findings.push(others.warn(describe(rest), "each by its reason: docs/conditions.md"));
  } else if (untold > 0) {
    const message = `${untold} Services are skipped; the Events that say why are gone`;
    findings.push(
      others.warn(message, "kubectl -n isthmus-system logs deployment/isthmus-controller"),
    );
  } else {
    findings.push(others.ok("every exported Service has its mirror"));
  }
  return findings;
}

function describe(skipped: readonly SkippedService[]): string {
  const shown = skipped.slice(0, SHOWN).map(({ reason, message }) => `${reason}: ${message}`);
  const more = skipped.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}

/**
 * Mirrors in namespaces that an installation may not use any more: nobody watches them, and their egress ports may be
 * given to others. Says nothing of an installation that may use every namespace. Pure.
 */
export function judgeOutside(
  mirrors: Fact<readonly Service[]>,
  namespaces: readonly string[],
): Finding[] {
  const { ok, warn, skip } = findingsOf("mirrors-outside", "this cluster's mirrors");
  if (namespaces.length === 0) return [];
  if ("unknown" in mirrors) return [skip(mirrors.unknown)];
  const outside = mirrors.value
    .filter(({ metadata }) => !namespaces.includes(metadata.namespace ?? ""))
    .map(keyOf);
  if (outside.length === 0) return [ok(`all are in ${namespaces.join(", ")}`)];
  const shown = outside.slice(0, SHOWN).join(", ");
  const more = outside.length > SHOWN ? ` and ${outside.length - SHOWN} more` : "";
  return [
    warn(
      `outside of ${namespaces.join(", ")}: ${shown}${more}`,
      "delete them: docs/restricted-namespaces.md#taking-a-namespace-off-the-list",
    ),
  ];
}

/** How many egress ports mirrors have of those there are. Pure. */
export function judgeEgressPorts(mirrors: Fact<readonly Service[]>): Finding {
  const { ok, warn, fail, skip } = findingsOf("egress-ports", "this cluster's mirrors");
  if ("unknown" in mirrors) return skip(mirrors.unknown);
  const ports = mirrors.value.flatMap(({ spec }) => spec?.ports ?? []);
  const used = new Set(ports.map(({ targetPort }) => targetPort)).size;
  const seen = `${used} of ${PORT_COUNT} in use`;
  const fix = "export fewer ports: annotation isthmus.dev/export-ports at the provider";
  if (used >= PORT_COUNT) return fail(`${seen}: no further Service gets a mirror`, fix);
  return used >= PORT_COUNT * PORTS_WARN_SHARE ? warn(seen, fix) : ok(seen);
}
