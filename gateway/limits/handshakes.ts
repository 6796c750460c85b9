import type { Socket } from "node:net";
import { ignore } from "../stream/ignore.ts";

export interface HandshakesOptions {
  max: number;
  /** One from this address lost its place. */
  onGivenUp: (address: string) => void;
  onCount: (count: number) => void;
}

/**
 * TCP connections whose client has not shown who it is. There is a place for
 * so many; a further one takes the place of the oldest from the address that
 * has the most. An honest handshake is over within a few round trips, so those
 * who wait, or come in masses, lose first.
 */
export class Handshakes {
  readonly #options: HandshakesOptions;
  /** By address and port of the client. */
  readonly #byAddress = new Map<string, Map<number, Socket>>();
  #count = 0;
  #unnamed = 0;

  constructor(options: HandshakesOptions) {
    this.#options = options;
  }

  /** It has a place until it is {@link done}, closes or loses it. */
  begin(socket: Socket): void {
    if (this.#count >= this.#options.max) this.#giveUpOne();
    // A client that is gone already has neither; one that comes anew may have the port of one whose end is not told yet.
    const { remoteAddress = "", remotePort = (this.#unnamed -= 1) } = socket;
    const before = this.#byAddress.get(remoteAddress)?.get(remotePort);
    if (before !== undefined) this.#forget(remoteAddress, remotePort, before);
    const sockets = this.#byAddress.get(remoteAddress) ?? new Map<number, Socket>();
    this.#byAddress.set(remoteAddress, sockets.set(remotePort, socket));
    this.#add(1);
    socket.on("error", ignore);
    socket.once("close", () => this.#forget(remoteAddress, remotePort, socket));
  }

  /** The client at this address and port has shown who it is. */
  done({ remoteAddress = "", remotePort = 0 }: Pick<Socket, "remoteAddress" | "remotePort">): void {
    const socket = this.#byAddress.get(remoteAddress)?.get(remotePort);
    if (socket !== undefined) this.#forget(remoteAddress, remotePort, socket);
  }

  #giveUpOne(): void {
    const [address, sockets] = [...this.#byAddress].reduce((one, other) =>
      other[1].size > one[1].size ? other : one,
    );
    const [oldest] = sockets;
    if (oldest === undefined) return;
    const [port, socket] = oldest;
    this.#forget(address, port, socket);
    socket.resetAndDestroy();
    this.#options.onGivenUp(address);
  }

  #forget(address: string, port: number, socket: Socket): void {
    const sockets = this.#byAddress.get(address);
    if (sockets?.get(port) !== socket) return;
    sockets.delete(port);
    this.#add(-1);
    if (sockets.size === 0) this.#byAddress.delete(address);
  }

  #add(change: number): void {
    this.#count += change;
    this.#options.onCount(this.#count);
  }
}
