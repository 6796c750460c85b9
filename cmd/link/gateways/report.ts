import type { NotRead } from "../not-read.ts";

/** What went over the wire, or of a part of it; counts since the gateway's pod began. */
export interface Traffic {
  /** Connections carried now. */
  readonly streams: number | undefined;
  /** Bytes that left this cluster. */
  readonly sentBytes: number | undefined;
  /** Bytes that came into it. */
  readonly receivedBytes: number | undefined;
}

/** One gateway pod's sessions to one address of a remote gateway. */
export interface AddressReport extends Traffic {
  readonly link: string;
  /** `host:port`; empty while the pod knows no address. */
  readonly address: string;
  readonly pod: string;
  /** `up`: a session lives; `connecting`; `down`: none does, and the next attempt waits. */
  readonly state: "up" | "connecting" | "down";
  /** Sessions that live. */
  readonly sessions: number;
  /** Median of the round trips of its PINGs, in ms; undefined before the first. */
  readonly rttMs: number | undefined;
  /** 99th percentile of them. */
  readonly rttP99Ms: number | undefined;
}

/** One gateway pod's sessions with one consumer. */
export interface ConsumerReport extends Traffic {
  readonly consumer: string;
  readonly pod: string;
  readonly sessions: number;
}

/** A gateway pod of this cluster. */
export interface PodReport {
  readonly pod: string;
  readonly node: string;
  readonly ready: boolean;
  /** Whether it has begun to end. */
  readonly draining: boolean;
  /** RFC 3339; undefined where it has none, or it could not be read. */
  readonly certificateExpiresAt: string | undefined;
}

/** Everything `link gateways` knows of one cluster. */
export interface GatewaysReport {
  readonly cluster: string;
  /** By link, address and pod. */
  readonly addresses: readonly AddressReport[];
  /** By consumer and pod. */
  readonly consumers: readonly ConsumerReport[];
  readonly gateways: readonly PodReport[];
  readonly notRead: readonly NotRead[];
}
