import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { GATEWAY_DRAINING_HEADER, GATEWAY_READY_PATH, peerServerName } from "../../../api/names.ts";
import type { CertificateAndKey } from "../../../pki/authority.ts";
import { withTimeout } from "../../../kube/client/timeout-signal.ts";
import type { CertificateInfo } from "../../../pki/certificate.ts";
import { clientTlsOptions } from "../../../pki/tls.ts";
import {
  classifyProbeFailure,
  ConnectionClosedError,
  isValidityFailure,
  type ProbeStage,
  ProbeStatusError,
  ProbeTimeoutError,
} from "./probe-failure.ts";
import type { ProbeResult } from "./probe-history.ts";
import { readShownCertificate } from "./shown-certificate.ts";

/** How a gateway is dialled and by what it is recognised. */
export interface GatewayIdentity {
  readonly ownCluster: string;
  readonly leaf: CertificateAndKey;
  readonly bundlePem: string;
  readonly identity: string;
}

/**
 * Asks one gateway address whether it is ready, over the same mutually
 * authenticated HTTP/2 session as traffic takes. The session is kept from one
 * probe to the next, and opened anew after any failure, and to leave a gateway
 * that drains for another one behind the same address.
 */
export class GatewayProbe {
  readonly #address: string;
  readonly #port: number;
  #identity: GatewayIdentity;
  #session: ClientHttp2Session | undefined;
  #answered = false;

  constructor(address: string, port: number, identity: GatewayIdentity) {
    this.#address = address;
    this.#port = port;
    this.#identity = identity;
  }

  /** From the next probe on, other certificates count: the session is opened anew. */
  setIdentity(identity: GatewayIdentity): void {
    this.#identity = identity;
    this.close();
  }

  /**
   * One probe. Never throws but for `signal`'s abort.
   *
   * @param timeoutMs bound of the whole probe, opening the session included
   */
  async probe(timeoutMs: number, signal: AbortSignal): Promise<ProbeResult> {
    const startedMs = performance.now();
    const limit = withTimeout(signal, timeoutMs);
    const progress: { stage: ProbeStage } = { stage: "connect" };
    try {
      const session = await this.#open(limit.signal, progress);
      progress.stage = this.#answered ? "answer" : "firstAnswer";
      const { statusCode, drains } = await askReady(session, limit.signal);
      if (statusCode !== 200) throw new ProbeStatusError(statusCode);
      this.#answered = true;
      if (drains) this.close();
      return { ok: true, rttMs: performance.now() - startedMs };
    } catch (error) {
      this.close();
      signal.throwIfAborted();
      const { ownCluster } = this.#identity;
      const shown = limit.timedOut() ? new ProbeTimeoutError("no answer in time") : error;
      const failure = classifyProbeFailure(shown, progress.stage, {
        ownCluster,
        shown: isValidityFailure(shown) ? await this.#readShown(limit.signal) : undefined,
        // TLS judges by the machine's own clock.
        nowMs: Date.now(),
      });
      signal.throwIfAborted();
      return { ok: false, failure };
    } finally {
      limit.dispose();
    }
  }

  /** Ends the session, if there is one. */
  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
    this.#answered = false;
  }

  async #readShown(signal: AbortSignal): Promise<CertificateInfo | undefined> {
    const target = { host: this.#address, port: this.#port };
    return await readShownCertificate({ ...tlsOf(this.#identity), ...target }, signal);
  }

  async #open(signal: AbortSignal, progress: { stage: ProbeStage }): Promise<ClientHttp2Session> {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) {
      return this.#session;
    }
    this.close();
    const socket = await dial(this.#address, this.#port, this.#identity, signal, progress);
    const session = connectHttp2("https://gateway", { createConnection: () => socket });
    // Failures reach the probe through its request; between probes the session is just gone.
    session.on("error", () => session.destroy());
    session.unref();
    this.#session = session;
    return session;
  }
}

function tlsOf(gateway: GatewayIdentity): ConnectionOptions {
  return clientTlsOptions({ ...gateway, serverName: peerServerName(gateway.ownCluster) });
}

/**
 * Opens the connection of a session: TCP, TLS, and both sides know each other.
 * @param progress told how far it came
 * @param ecdhCurve key exchanges that are offered, as node:tls takes them; its own choice when absent
 * @throws whatever ended it, PeerIdentityError among them; `signal`'s reason when it aborts
 */
export async function dial(
  host: string,
  port: number,
  gateway: GatewayIdentity,
  signal: AbortSignal,
  progress: { stage: ProbeStage },
  ecdhCurve?: string,
): Promise<TLSSocket> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const curve = ecdhCurve === undefined ? {} : { ecdhCurve };
  const socket = connectTls({ ...tlsOf(gateway), ...curve, host, port });
  const abort = (): void => reject(signal.reason);
  socket.once("connect", () => {
    progress.stage = "handshake";
  });
  socket.once("secureConnect", resolve);
  socket.once("error", reject);
  socket.once("close", () => reject(new ConnectionClosedError("the connection was closed")));
  signal.addEventListener("abort", abort, { once: true });
  try {
    await promise;
    return socket;
  } catch (error) {
    // Without a listener a late error would end the process.
    socket.on("error", () => undefined);
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

interface ReadyAnswer {
  readonly statusCode: number;
  readonly drains: boolean;
}

async function askReady(session: ClientHttp2Session, signal: AbortSignal): Promise<ReadyAnswer> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<ReadyAnswer>();
  let sessionError: unknown;
  const note = (error: unknown): void => {
    sessionError ??= error;
  };
  const closed = (): void =>
    reject(sessionError ?? new ConnectionClosedError("the session was closed"));
  const abort = (): void => reject(signal.reason);
  session.once("error", note);
  session.once("close", closed);
  signal.addEventListener("abort", abort, { once: true });
  const stream = session.request(
    { [constants.HTTP2_HEADER_METHOD]: "GET", [constants.HTTP2_HEADER_PATH]: GATEWAY_READY_PATH },
    { endStream: true },
  );
  stream.once("response", (headers) =>
    resolve({
      statusCode: Number(headers[constants.HTTP2_HEADER_STATUS]),
      drains: headers[GATEWAY_DRAINING_HEADER] === "true",
    }),
  );
  stream.once("error", (error) => reject(sessionError ?? error));
  stream.once("close", () =>
    reject(sessionError ?? new ConnectionClosedError("the stream was closed")),
  );
  stream.resume();
  try {
    return await promise;
  } finally {
    session.off("error", note).off("close", closed);
    signal.removeEventListener("abort", abort);
    stream.close();
  }
}
