import { type Identity, createIdentity } from "../../test/integration/gateway/identities.ts";

/** Who takes part, with certificates made by the product. HAProxy uses the same ones as the gateways. */
export interface Credentials {
  readonly consumer: Identity;
  /** Another consumer of the same provider, for what one does to the other. */
  readonly neighbour: Identity;
  readonly provider: Identity;
}

export async function createCredentials(): Promise<Credentials> {
  return {
    consumer: await createIdentity("east"),
    neighbour: await createIdentity("north"),
    provider: await createIdentity("west"),
  };
}
