import type { Provider } from "./bed.ts";
import { kindProvider } from "./kind.ts";
import { localProvider } from "./local.ts";

/** Names of the providers. */
export const providerNames = ["local", "kind"] as const;
/** One of the providers. */
export type ProviderName = (typeof providerNames)[number];

const providers: Record<ProviderName, Provider> = { local: localProvider, kind: kindProvider };

/** The provider of that name. */
export function provider(name: ProviderName): Provider {
  return providers[name];
}
