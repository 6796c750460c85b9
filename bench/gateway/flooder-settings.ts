import type { Identity } from "../../test/integration/gateway/identities.ts";

/** Whom to flood, and as whom. */
export interface FlooderSettings {
  readonly address: string;
  readonly port: number;
  readonly as: Identity;
  readonly to: Identity;
}

/** The line a flooder writes once its first session is up. */
export const FLOODING = "flooding";
