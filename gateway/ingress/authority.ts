import { isDnsLabel, isServiceName } from "../../api/names-schema.ts";

/** One port of a Service of this cluster, as a CONNECT request names it. */
export interface Authority {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
}

/** Longest authority there is: two labels of 63, `.`, `.svc:` and five digits. */
const MAX_LENGTH = 63 + 1 + 63 + ".svc:65535".length;
const PATTERN = /^([-a-z0-9]+)\.([-a-z0-9]+)\.svc:([1-9][0-9]{0,4})$/;

/**
 * Reads `service.namespace.svc:port` and nothing else: no IP address, other
 * host, upper case, trailing dot, percent-encoding, user, or port in another
 * notation. Undefined when it is not of that form.
 */
export function parseAuthority(text: string | undefined): Authority | undefined {
  if (text === undefined || text.length > MAX_LENGTH) return undefined;
  const [, service = "", namespace = "", digits = ""] = PATTERN.exec(text) ?? [];
  const port = Number(digits);
  const valid = isServiceName(service) && isDnsLabel(namespace) && port >= 1 && port <= 65_535;
  return valid ? { namespace, service, port } : undefined;
}

/** A text of a stranger's as it may be logged: as long as an authority can be, of printable ASCII only. */
export function printable(text: string): string {
  const printed = text.slice(0, MAX_LENGTH).replaceAll(/[^ -~]/g, "?");
  return text.length > MAX_LENGTH ? `${printed}…` : printed;
}
