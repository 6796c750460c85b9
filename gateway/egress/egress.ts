import type { Socket } from "node:net";
import type { Random } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import type { Link } from "../../api/link.ts";
import type { Service } from "../../api/objects.ts";
import type { Logger } from "../../kube/logger.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { StreamRefusedError } from "../session/peer-session.ts";
import { type SessionTimes, sessionTimesOf } from "../session/session-times.ts";
import { joinTunnel } from "../stream/tunnel.ts";
import { EgressLink } from "./egress-link.ts";
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
  /** Times of sessions by the probe settings of their Link; sessionTimesOf when absent. */
  times?: (probe: LinkTarget["probe"]) => SessionTimes;
  nowMs: () => number;
  random: Random;
  logger: Logger;
  metrics: GatewayMetrics;
}

const DEFAULT_SESSIONS_PER_ADDRESS = 2;
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
  readonly #targets = new WeakMap<Link, LinkTarget>();
  #plan: EgressPlan = { links: new Map(), problems: new Map(), routes: new Map() };
  #accepting = true;

  constructor(options: EgressOptions) {
    this.#options = options;
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

  /** Does what this state asks for; call it whenever something of it changed. */
  update({ links, mirrors, leaf }: EgressState): void {
    if (!this.#accepting) return;
    const previous = this.#plan;
    this.#plan = planEgress(links, mirrors, (link) => this.#read(link));
    this.#reportProblems(previous);
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
    const { metrics, logger } = this.#options;
    const route = this.#plan.routes.get(port);
    const link = route === undefined ? undefined : this.#links.get(route.link);
    if (route === undefined || link === undefined) {
      socket.resetAndDestroy();
      return;
    }
    const role = "egress";
    const labels = { role, link: route.link };
    const startMs = this.#options.nowMs();
    const gone = new AbortController();
    const abandon = () => gone.abort();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", abandon);
    socket.once("close", abandon);
    try {
      const stream = await link.open(route.authority, gone.signal);
      socket.off("error", abandon);
      socket.off("close", abandon);
      if (socket.destroyed) {
        stream.close();
        return;
      }
      metrics.activeStreams.inc(labels);
      joinTunnel(socket, stream, (end) => {
        metrics.activeStreams.dec(labels);
        metrics.streams.inc({ ...labels, result: end.result, reason: end.reason });
        metrics.bytes.inc({ ...labels, direction: "toRemote" }, end.bytesToStream);
        metrics.bytes.inc({ ...labels, direction: "toLocal" }, end.bytesFromStream);
        const durationMs = this.#options.nowMs() - startMs;
        logger.debug({ ...route, role, port, durationMs, ...end }, "stream ended");
      });
    } catch (error) {
      const reason = error instanceof StreamRefusedError ? error.reason : "Error";
      metrics.streams.inc({ ...labels, result: "refused", reason });
      logger.debug({ ...route, role, port, reason, error: errorMessage(error) }, "stream refused");
      socket.resetAndDestroy();
    }
  }
}
