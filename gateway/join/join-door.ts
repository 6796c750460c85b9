import type { Socket } from "node:net";
import { JOIN_SERVER_NAME } from "../../api/join-token.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import type { BoundReports } from "../limits/bound-reports.ts";
import { JoinServer, type JoinServerOptions } from "./join-server.ts";
import { peekServerName } from "./peek.ts";

export interface JoinDoorOptions extends JoinServerOptions {
  reports: BoundReports;
}

/**
 * Decides which connections to the ingress go to those who take join tokens.
 * It is shut unless a token is pending: then connections are not looked at, and
 * the SNI of joins is one that no peer has.
 */
export class JoinDoor {
  readonly #options: JoinDoorOptions;
  readonly #server: JoinServer;
  #openUntilMs = 0;

  constructor(options: JoinDoorOptions) {
    this.#options = options;
    this.#server = new JoinServer(options);
  }

  /** Exchanges under way whose token was right. */
  get exchanging(): number {
    return this.#server.exchanging;
  }

  /** The certificate shown from the next handshake on. Throws when it does not load. */
  setLeaf(leaf: CertificateAndKey | undefined): void {
    this.#server.setLeaf(leaf);
  }

  /** Until when tokens are taken, in epoch ms; 0: not at all. */
  openUntil(untilMs: number): void {
    if (untilMs === this.#openUntilMs) return;
    this.#openUntilMs = untilMs;
    const until = untilMs === 0 ? "never" : new Date(untilMs).toISOString();
    this.#options.logger.info({ until }, "join tokens are taken");
  }

  /** Takes a new connection over, or calls `toPeers`, to which it then belongs with all of its bytes. */
  route(socket: Socket, toPeers: () => void): void {
    const { nowMs, handshakeTimeoutMs, reports } = this.#options;
    if (nowMs() >= this.#openUntilMs) {
      toPeers();
      return;
    }
    peekServerName(socket, {
      timeoutMs: handshakeTimeoutMs,
      done: (serverName) => {
        if (serverName === JOIN_SERVER_NAME) this.#server.accept(socket);
        else toPeers();
      },
      onTimeout: () => reports.reached("HandshakeTimeout", ""),
    });
  }

  /** Ends at once what it has taken over. */
  destroy(): void {
    this.#openUntilMs = 0;
    this.#server.destroy();
  }
}
