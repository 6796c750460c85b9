import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { errorMessage } from "../../api/errors.ts";
import { GATEWAY_READY_PATH, peerServerName } from "../../api/names.ts";
import { dial, type GatewayIdentity } from "../../controller/link/gateway-probe/gateway-probe.ts";
import {
  classifyProbeFailure,
  isValidityFailure,
  type ProbeStage,
  ProbeStatusError,
  ProbeTimeoutError,
} from "../../controller/link/gateway-probe/probe-failure.ts";
import { readShownCertificate } from "../../controller/link/gateway-probe/shown-certificate.ts";
import { withTimeout } from "../../kube/client/timeout-signal.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import { parseCertificate } from "../../pki/certificate.ts";
import { clientTlsOptions } from "../../pki/tls.ts";
import { exchange } from "./exchange.ts";
import { tryWay } from "./path.ts";
import type { GatewayReport, GatewaysReport, GatewaysRequest } from "./report.ts";

const CONNECT_TIMEOUT_MS = 5000;
const ANSWER_TIMEOUT_MS = 3000;
/**
 * The keys of post-quantum exchanges, which OpenSSL offers by itself, fill a packet in each direction (X25519MLKEM768:
 * 1184 and 1088 bytes); with these the first message of a handshake has some 300 bytes.
 */
const SMALL_KEY_EXCHANGES = "X25519:P-256";
/** Of no peer: an SNI of another form. */
const UNKNOWN_NAME = "nobody.isthmus";

export interface GatewaysOptions {
  request: GatewaysRequest;
  /** The leaf of this cluster's gateways: the remote one lets nobody else in. */
  leaf: CertificateAndKey;
  signal: AbortSignal;
}

/**
 * Looks at every address of every link as this cluster's own gateways would. Never throws but for `signal`'s abort.
 */
export async function lookAtGateways(options: GatewaysOptions): Promise<GatewaysReport> {
  const { ownCluster, links } = options.request;
  const gateways = await Promise.all(
    links.flatMap(({ name, addresses, port, identity, trustBundle }) =>
      addresses.map((address) => {
        const gateway = { ownCluster, leaf: options.leaf, bundlePem: trustBundle, identity };
        return lookAtGateway({ link: name, address, port, gateway, signal: options.signal });
      }),
    ),
  );
  return { nowMs: Date.now(), gateways };
}

interface GatewayOptions {
  link: string;
  address: string;
  port: number;
  gateway: GatewayIdentity;
  signal: AbortSignal;
  /** Bound of opening a session. */
  connectTimeoutMs?: number;
  /** Key exchanges that are offered; OpenSSL's choice when absent. */
  ecdhCurve?: string;
}

/** Looks at one address: session, answer, clock, and what sizes pass each way. */
async function lookAtGateway(options: GatewayOptions): Promise<GatewayReport> {
  const { link, address, port, signal } = options;
  const progress: { stage: ProbeStage } = { stage: "connect" };
  const about = { link, address, port };
  const startedMs = performance.now();
  let opened: OpenSession | undefined;
  try {
    opened = await openSession(options, progress);
    const connectMs = performance.now() - startedMs;
    progress.stage = "firstAnswer";
    const answer = await askReady(opened.session, signal);
    opened.session.destroy();
    const ways = await tryWays(options);
    return { ...about, stage: "done", connectMs, ...answer, ...opened.validity, ...ways };
  } catch (error) {
    signal.throwIfAborted();
    const failure = await failureOf(error, progress.stage, options);
    const { stage } = progress;
    const reached = stage === "firstAnswer" ? "answer" : stage;
    const more = stage === "handshake" ? await tryLess(options) : {};
    return { ...about, stage: reached, failure, ...more, ...opened?.validity };
  } finally {
    opened?.session.destroy();
  }
}

async function tryWays(options: GatewayOptions): Promise<Pick<GatewayReport, "up" | "down">> {
  const { signal } = options;
  const open = async () => (await openSession(options, { stage: "connect" })).session;
  return { up: await tryWay("up", { open, signal }), down: await tryWay("down", { open, signal }) };
}

/** What of a handshake that failed gets through when its messages are smaller. */
async function tryLess(
  options: GatewayOptions,
): Promise<Pick<GatewayReport, "smallHandshake" | "refuses" | "up" | "down">> {
  const { signal } = options;
  const small = { ...options, ecdhCurve: SMALL_KEY_EXCHANGES };
  try {
    const { session } = await openSession(small, { stage: "connect" });
    session.destroy();
    return { smallHandshake: true, ...(await tryWays(small)) };
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof ProbeTimeoutError ? { refuses: await refuses(options) } : {};
  }
}

interface OpenSession {
  session: ClientHttp2Session;
  validity: { notBeforeMs: number; notAfterMs: number } | undefined;
}

async function openSession(
  options: GatewayOptions,
  progress: { stage: ProbeStage },
): Promise<OpenSession> {
  const { address, port, gateway, signal, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  const limit = withTimeout(signal, connectTimeoutMs);
  try {
    const socket = await dial(address, port, gateway, limit.signal, progress, options.ecdhCurve);
    socket.setNoDelay(true);
    const session = connectHttp2("https://gateway", { createConnection: () => socket });
    // Whoever uses it sees it close.
    session.on("error", () => session.destroy());
    return { session, validity: validityOf(socket) };
  } catch (error) {
    throw limit.timedOut() ? new ProbeTimeoutError("no answer in time") : error;
  } finally {
    limit.dispose();
  }
}

function validityOf(socket: TLSSocket): OpenSession["validity"] {
  const pem = socket.getPeerX509Certificate()?.toString();
  if (pem === undefined) return undefined;
  const { notBeforeMs, notAfterMs } = parseCertificate(pem);
  return { notBeforeMs, notAfterMs };
}

async function askReady(
  session: ClientHttp2Session,
  signal: AbortSignal,
): Promise<Pick<GatewayReport, "rttMs" | "aheadMs">> {
  const askedMs = Date.now();
  const startedMs = performance.now();
  const answer = await exchange(
    session,
    { method: "GET", path: GATEWAY_READY_PATH },
    { timeoutMs: ANSWER_TIMEOUT_MS, signal },
  );
  if (answer.status !== 200) throw new ProbeStatusError(answer.status);
  const rttMs = performance.now() - startedMs;
  if (Number.isNaN(answer.dateMs)) return { rttMs };
  // The header names the second in which the answer was made: on average it is half a second later.
  return { rttMs, aheadMs: Math.round(answer.dateMs + 500 - (askedMs + rttMs / 2)) };
}

async function failureOf(
  error: unknown,
  stage: ProbeStage,
  { address, port, gateway, signal }: GatewayOptions,
): Promise<GatewayReport["failure"]> {
  const { ownCluster } = gateway;
  const limit = withTimeout(signal, ANSWER_TIMEOUT_MS);
  try {
    const tls = clientTlsOptions({ ...gateway, serverName: peerServerName(ownCluster) });
    const shown = isValidityFailure(error)
      ? await readShownCertificate({ ...tls, host: address, port }, limit.signal)
      : undefined;
    const { reason, message } = classifyProbeFailure(error, stage, {
      ownCluster,
      shown,
      nowMs: Date.now(),
    });
    return { reason, message, timedOut: error instanceof ProbeTimeoutError || isTimeout(error) };
  } finally {
    limit.dispose();
  }
}

/**
 * Whether a gateway that does not answer our handshake refuses one under a name that no peer has: its alert is a packet
 * of few bytes, while its certificates fill one to the brim.
 */
async function refuses({ address, port, signal }: GatewayOptions): Promise<boolean> {
  const limit = withTimeout(signal, ANSWER_TIMEOUT_MS);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connectTls({
    host: address,
    port,
    servername: UNKNOWN_NAME,
    ecdhCurve: SMALL_KEY_EXCHANGES,
    ALPNProtocols: ["h2"],
  });
  socket.once("secureConnect", () => resolve(true));
  socket.once("error", () => resolve(true));
  socket.once("close", () => resolve(true));
  limit.signal.addEventListener("abort", () => resolve(false), { once: true });
  try {
    return await promise;
  } finally {
    limit.dispose();
    socket.destroy();
  }
}

function isTimeout(error: unknown): boolean {
  return /ETIMEDOUT|ExchangeTimeoutError/.test(
    error instanceof Error ? `${error.name} ${errorMessage(error)}` : "",
  );
}
