import type { Bed, Provider } from "./bed.ts";
import { attachKindBed, kindProvider, runningKindBeds } from "./kind.ts";
import { attachLocalBed, runningLocalBeds } from "./local-bed.ts";
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

/** Ids of all beds that were left running. */
export function runningBeds(): string[] {
  return [...runningLocalBeds(), ...runningKindBeds()];
}

/**
 * The handle on a running bed that any process brought up.
 * @throws Error if there is no such bed.
 */
export function attachBed(id: string): Bed {
  return id.startsWith("kind-") ? attachKindBed(id) : attachLocalBed(id);
}
