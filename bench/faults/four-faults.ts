import { dropPackets } from "../../test/bed/network-faults.ts";
import { gatewayAddress, killGateway, scaleGateway } from "../../test/system/journey.ts";
import { joinLink, revokeCredentials, setApiStaleness } from "../../test/system/links.ts";
import type { System } from "../../test/system/system.ts";

export const PROVIDER = "west";
export const CONSUMER = "east";
/** Where the Services and their mirrors are. */
export const NAMESPACE = "shop";

/** The least that a Link may ask for. */
export const API_STALENESS_SECONDS = 5;

/** A fault that has begun. */
export interface BegunFault {
  /** Milliseconds since the epoch. */
  readonly beganMs: number;
  /** Takes it away; resolves once that is done, not once its effects have passed. */
  end(): Promise<void>;
}

/** One of the faults that are measured. */
export interface MeasuredFault {
  readonly name: FaultName;
  /** What happens, for the reader of the table. */
  readonly what: string;
  /** How long mirrors stay open by design, milliseconds. */
  readonly toleratedMs: number;
  begin(system: System): Promise<BegunFault>;
}

export const FAULT_NAMES = [
  "gatewayKilled",
  "gatewayBlackholed",
  "apiLost",
  "credentialRevoked",
] as const;

export type FaultName = (typeof FAULT_NAMES)[number];

/** The faults that are measured, each of all of the provider's gateway or API. */
export const MEASURED_FAULTS: readonly MeasuredFault[] = [
  {
    name: "gatewayKilled",
    what: "all gateway processes of the provider killed",
    toleratedMs: 0,
    async begin(system) {
      const west = system.member(PROVIDER);
      const beganMs = await killGateway(west);
      return { beganMs, end: () => scaleGateway(west, 2) };
    },
  },
  {
    name: "gatewayBlackholed",
    what: "packets to and from the provider's gateway dropped",
    toleratedMs: 0,
    async begin(system) {
      const address = await gatewayAddress(system.member(PROVIDER));
      const end = await dropPackets(system.bed, address);
      return { beganMs: Date.now(), end };
    },
  },
  {
    name: "apiLost",
    what: `the provider's API server stopped, from apiStalenessSeconds (${API_STALENESS_SECONDS}) on`,
    toleratedMs: API_STALENESS_SECONDS * 1000,
    async begin(system) {
      const east = system.member(CONSUMER);
      const server = system.member(PROVIDER).cluster.process("kube-apiserver");
      await setApiStaleness(east, PROVIDER, API_STALENESS_SECONDS);
      const beganMs = Date.now();
      server.pause();
      const end = async () => {
        server.resume();
        await setApiStaleness(east, PROVIDER, undefined);
      };
      return { beganMs, end };
    },
  },
  {
    name: "credentialRevoked",
    what: "the consumer's ServiceAccount deleted at the provider",
    toleratedMs: 0,
    async begin(system) {
      const beganMs = Date.now();
      await revokeCredentials(system.member(PROVIDER), CONSUMER);
      return { beganMs, end: () => joinLink(system, PROVIDER, CONSUMER) };
    },
  },
];
