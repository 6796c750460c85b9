/** Why an ingress gateway refuses a stream; sent as `isthmus-reason`, and a label of metrics on both sides. */
export const REFUSAL_REASONS = [
  "AuthorityInvalid",
  "NotExported",
  "ConsumerNotPermitted",
  "PortNotExported",
  "NoReadyEndpoints",
  "EndpointUnreachable",
  "Draining",
  "MethodNotAllowed",
  "PathTestRefused",
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

const KNOWN: ReadonlySet<unknown> = new Set(REFUSAL_REASONS);

/** The reason that a remote gave, or `RemoteRefused`: it becomes a label, and a remote may say anything. */
export function refusalReason(said: unknown): RefusalReason | "RemoteRefused" {
  return isRefusalReason(said) ? said : "RemoteRefused";
}

function isRefusalReason(said: unknown): said is RefusalReason {
  return KNOWN.has(said);
}
