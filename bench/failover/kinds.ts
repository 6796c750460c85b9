/** How the endpoints of the other cluster get connections: by kube-proxy alone, or by what the controller writes. */
export const MODES = ["standby", "active"] as const;
export type Mode = (typeof MODES)[number];

/** How the own pods go: told to end, or out of reach from one packet to the next. */
export const KINDS = ["graceful", "crash"] as const;
export type Kind = (typeof KINDS)[number];
