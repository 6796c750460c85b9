import { keyOf, type Service } from "./objects.ts";
import { isOurs } from "./ownership.ts";
import { listed } from "./plain-text.ts";
import { type Finding, REASONS } from "./reasons.ts";
import { isTcp } from "./service-ports.ts";

/** Why a Service of this kind cannot fail over. */
export function unsupported(service: Service): Finding | undefined {
  const { spec } = service;
  const because = (text: string): Finding => ({
    reason: REASONS.FailoverUnsupported,
    message: `Service ${keyOf(service)} does not fail over: ${text}`,
  });
  if (isOurs(service)) {
    return because("it is a mirror and follows its own cluster; annotate a Service of your own.");
  }
  if (spec?.type === "ExternalName") {
    return because("type ExternalName has no endpoints; use a Service with a ClusterIP.");
  }
  if (spec?.clusterIP === "None") {
    return because(
      "it is headless, so clients choose among its endpoints themselves; use a Service with a ClusterIP.",
    );
  }
  if (spec?.internalTrafficPolicy === "Local") {
    return because(
      "internalTrafficPolicy Local keeps connections on the client's node; use Cluster.",
    );
  }
  return undefined;
}

/** What of a Service that fails over does not. */
export function limitsOf(service: Service): Finding[] {
  const { externalTrafficPolicy, publishNotReadyAddresses, ports = [] } = service.spec ?? {};
  const others = ports.filter((port) => !isTcp(port));
  const limits: string[] = [];
  if (externalTrafficPolicy === "Local") {
    limits.push(
      "externalTrafficPolicy Local keeps connections from outside on the node they came to, so only those from inside fail over.",
    );
  }
  if (publishNotReadyAddresses === true) {
    limits.push(
      "publishNotReadyAddresses counts every pod as ready, so it fails over only when there is none.",
    );
  }
  if (others.length > 0) {
    const names = others.map(({ name, port, protocol }) => `${name ?? port}/${protocol ?? ""}`);
    limits.push(`only TCP fails over, not ${listed(names)}.`);
  }
  return limits.map((text) => ({
    reason: REASONS.FailoverLimited,
    message: `Service ${keyOf(service)}: ${text}`,
  }));
}
