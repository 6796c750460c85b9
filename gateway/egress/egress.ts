import type { Socket } from "node:net";
import type { Random } from "../../api/clock.ts";
import type { Link } from "../../api/link.ts";
import type { Service } from "../../api/objects.ts";
import type { Logger } from "../../kube/logger.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import { BoundReports } from "../limits/bound-reports.ts";
import { DEFAULT_GATEWAY_LIMITS, type GatewayLimits } from "../limits/limits.ts";
import { Shares } from "../limits/shares.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { StreamRefusedError } from "../session/peer-session.ts";
import { type SessionTimes, sessionTimesOf } from "../session/session-times.ts";
import { StreamAccounts } from "../stream/stream-accounts.ts";
import { ignore } from "../stream/ignore.ts";
import { joinTunnel } from "../stream/tunnel.ts";
import { EgressLink } from "./egress-link.ts";
import type { GatewayNamesOptions } from "./gateway-names.ts";
import { type EgressPlan, type LinkTarget, planEgress, readLinkTarget } from "./plan.ts";
import { PortListeners } from "./port-listeners.ts";

/** The objects of its own cluster that the egress acts on. */
export interface EgressState {
  links: readonly Link[];
  /** Mirror Services; those that are not ours are ignored. */
  mirrors: readonly Service[];
  /** The gateway's own certificate; without one every link is closed. */
  leaf: CertificateAndKey | undefined;
}

export interface EgressOptions {
  /** This cluster's own name, which its sessions give as SNI. */
  clusterName: string;
  /** Where mirrored ports are listened on; every address when absent. */
  host?: string | undefined;
  sessionsPerAddress?: number;
  /** A session is replaced after about this long, in ms; SESSION_MAX_AGE_MS when absent. */
  sessionMaxAgeMs?: number;
  /** How names of gateways are looked up. */
  names?: GatewayNamesOptions;
  /** Times of sessions by the probe settings of their Link; sessionTimesOf when absent. */
  times?: (probe: LinkTarget["probe"]) => SessionTimes;
  limits?: GatewayLimits;
  /** The connections of both roles; of the egress alone when absent. */
  connections?: Shares;
  /** So many bytes of a connection passed, in either direction. */
  onCarried?: (bytes: number) => void;
  nowMs: () => number;
  random: Random;
  logger: Logger;
  metrics: GatewayMetrics;
}

const DEFAULT_SESSIONS_PER_ADDRESS = 2;
export const SESSION_MAX_AGE_MS = 3_600_000;
/** Of a link that is not dialled: this gateway has no leaf yet. */
const NO_SESSION = { open: false, cause: "NoSession" } as const;

/**
 * The way out: listens on the ports of mirrors and carries each connection as
 * a CONNECT stream to the remote gateway of its link. It listens only while
 * its own sessions of the link are up, the Link is Ready and the mirror is
 * recorded as open (docs/adr/0009), so that otherwise the kernel refuses;
 * nothing is kept for a link that is closed.
 */
export class Egress {
  readonly #options: EgressOptions;
  readonly #links = new Map<string, EgressLink>();
  readonly #listeners: PortListeners;
  readonly #sockets = new Set<Socket>();
  readonly #limits: GatewayLimits;
  readonly #connections: Shares;
  readonly #reports: BoundReports;
  readonly #accounts: StreamAccounts;
  readonly #targets = new WeakMap<Link, LinkTarget>();
  #plan: EgressPlan = {
    links: new Map(),
    problems: new Map(),
    routes: new Map(),
    mirrored: new Set(),
  };
  #accepting = true;

  constructor(options: EgressOptions) {
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_GATEWAY_LIMITS;
    this.#connections =
      options.connections ??
      new Shares({ max: this.#limits.maxConnections, holders: () => this.#links.size });
    this.#reports = new BoundReports({ ...options, role: "egress" });
    this.#accounts = new StreamAccounts({
      ...options,
      role: "egress",
      knows: (link, service) => this.#plan.mirrored.has(`${link}/${service}`),
    });
    this.#listeners = new PortListeners({
      ...options,
      host: options.host,
      onConnection: (port, socket) => void this.#carry(port, socket),
    });
  }

  /** Mirrored ports that accept connections now. */
  get openPorts(): number[] {
    return this.#listeners.ports;
  }

  /** Connections being carried or set up. */
  get activeConnections(): number {
    return this.#sockets.size;
  }

  /** Links of which it cannot be said yet whether this gateway reaches the remote one. */
  get untriedLinks(): string[] {
    return [...this.#links].filter(([, link]) => !link.tried).map(([name]) => name);
  }

  /** Does what this state asks for; call it whenever something of it changed. */
  update({ links, mirrors, leaf }: EgressState): void {
    if (!this.#accepting) return;
    const previous = this.#plan;
    this.#plan = planEgress(links, mirrors, (link) => this.#read(link));
    this.#reportProblems(previous);
    this.#accounts.forget();
    for (const [name, link] of this.#links) {
      if (leaf !== undefined && this.#plan.links.has(name)) continue;
      this.#links.delete(name);
      link.destroy();
    }
    if (leaf !== undefined) {
      for (const [name, target] of this.#plan.links) {
        const link = this.#links.get(name);
        if (link === undefined) this.#links.set(name, this.#createLink(name, target, leaf));
        else link.update(target, leaf);
      }
    }
    this.#listen();
  }

  /** Closes the listeners; connections live on. */
  stopAccepting(): void {
    this.#accepting = false;
    this.#listen();
  }

  /** Closes listeners, sessions and connections at once. */
  destroy(): void {
    this.stopAccepting();
    for (const link of this.#links.values()) link.destroy();
    this.#links.clear();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #createLink(name: string, target: LinkTarget, leaf: CertificateAndKey) {
    return new EgressLink(target, leaf, {
      ...this.#options,
      name,
      sessionsPerAddress: this.#options.sessionsPerAddress ?? DEFAULT_SESSIONS_PER_ADDRESS,
      times: this.#options.times ?? sessionTimesOf,
      maxAgeMs: this.#options.sessionMaxAgeMs ?? SESSION_MAX_AGE_MS,
      names: this.#options.names ?? {},
      limits: this.#limits,
      onBound: (bound) => this.#reports.reached(bound, name),
      onGate: () => this.#listen(),
    });
  }

  #listen(): void {
    const open = new Set<number>();
    const { listeners, closedPorts } = this.#options.metrics;
    listeners.reset();
    closedPorts.reset();
    for (const [port, route] of this.#plan.routes) {
      const { link } = route;
      const gate = this.#links.get(link)?.gate ?? NO_SESSION;
      if (this.#accepting && gate.open && route.open) {
        open.add(port);
        listeners.inc({ link });
      } else {
        const closedByMirror = route.open ? "Draining" : "MirrorClosed";
        closedPorts.inc({ link, reason: gate.open ? closedByMirror : gate.cause });
      }
    }
    this.#listeners.set(open);
  }

  /** Parsing a bundle is dear, and most updates are about mirrors. */
  #read(link: Link): LinkTarget {
    const known = this.#targets.get(link);
    if (known !== undefined) return known;
    const target = readLinkTarget(link);
    this.#targets.set(link, target);
    return target;
  }

  #reportProblems(previous: EgressPlan): void {
    const { metrics, logger } = this.#options;
    metrics.linkInvalid.reset();
    for (const [link, message] of this.#plan.problems) {
      metrics.linkInvalid.set({ link }, 1);
      if (previous.problems.get(link) !== message) logger.warn({ link, message }, "link closed");
    }
  }

  async #carry(port: number, socket: Socket): Promise<void> {
    const route = this.#plan.routes.get(port);
    const link = route === undefined ? undefined : this.#links.get(route.link);
    if (route === undefined || link === undefined) {
      socket.resetAndDestroy();
      return;
    }
    const holder = `link/${route.link}`;
    const refusal = this.#connections.take(holder, this.#limits.maxConnectionsPerLink);
    if (refusal !== undefined) {
      this.#reports.reached(refusal === "inAll" ? "Connections" : "ConnectionsPerLink", route.link);
      socket.resetAndDestroy();
      return;
    }
    const { authority, source, mirror } = route;
    const account = this.#accounts.begin(
      { link: route.link, consumer: this.#options.clusterName, authority: source },
      { mirror, egressPort: port },
    );
    this.#sockets.add(socket);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#connections.give(holder);
    });
    // `close` follows and decides.
    socket.on("error", ignore);
    try {
      const stream = await openFor(socket, link, authority);
      if (socket.destroyed) {
        stream.close();
        account.end({ result: "reset", reason: "Abandoned" });
        return;
      }
      account.carry();
      joinTunnel(socket, stream, {
        onCarried: this.#options.onCarried,
        onEnd: ({ result, reason, bytesToStream, bytesFromStream }) => {
          account.end({
            result,
            reason,
            bytesToRemote: bytesToStream,
            bytesToLocal: bytesFromStream,
          });
        },
      });
    } catch (error) {
      const reason = error instanceof StreamRefusedError ? error.reason : "Error";
      account.end({ result: "refused", reason });
      socket.resetAndDestroy();
    }
  }
}

/** Opens a stream for a connection, unless that is gone first. */
async function openFor(socket: Socket, link: EgressLink, authority: string) {
  const gone = new AbortController();
  const abandon = () => gone.abort();
  socket.on("close", abandon);
  try {
    return await link.open(authority, gone.signal);
  } finally {
    socket.off("close", abandon);
  }
}
