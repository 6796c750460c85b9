import { X509Certificate, constants } from "node:crypto";
import {
  type ConnectionOptions,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
  type TlsOptions,
  createSecureContext,
} from "node:tls";
import { errorMessage } from "../api/errors.ts";
import type { CertificateAndKey } from "./authority.ts";
import { identityProblem, isVouchedFor, parseBundle, uriSansOf } from "./certificate.ts";

/** Mutual TLS between gateways: TLS 1.3 only, HTTP/2 by ALPN, both sides named by an exact URI SAN. */

/** The other side's certificate does not vouch for who it should be. */
export class PeerIdentityError extends Error {
  override readonly name = "PeerIdentityError";
}

/**
 * An error unless the certificate's only URI SAN is exactly `identity`, and a
 * CA of the bundle signed it as a leaf for both sides' use: OpenSSL would also
 * take an intermediate CA's, or one that names no use.
 */
export function peerIdentityError(
  certificate: Pick<PeerCertificate, "raw">,
  { identity, bundlePem }: { identity: string; bundlePem: string },
): PeerIdentityError | undefined {
  let problem: string | undefined;
  try {
    problem = identityProblem(uriSansOf(certificate.raw), identity);
    const certificatePem = new X509Certificate(certificate.raw).toString();
    if (problem === undefined && !isVouchedFor({ certificatePem, bundlePem, identity })) {
      problem = "the certificate is not a leaf for client and server that a trusted CA signed";
    }
  } catch (error) {
    problem = `the certificate cannot be parsed: ${errorMessage(error)}`;
  }
  return problem === undefined ? undefined : new PeerIdentityError(problem);
}

/**
 * What a gateway dials another cluster's with: its own leaf, trust in only
 * that cluster's bundle, and the other side's identity in place of a host
 * name. `serverName` is the SNI, which names ourselves (api/names.ts,
 * peerServerName).
 */
export function clientTlsOptions(options: {
  leaf: CertificateAndKey;
  bundlePem: string;
  identity: string;
  serverName: string;
}): ConnectionOptions {
  return {
    cert: options.leaf.certificatePem,
    key: options.leaf.privateKeyPem,
    ca: options.bundlePem,
    servername: options.serverName,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => peerIdentityError(certificate, options),
  };
}

/** One cluster that may connect: the SNI it uses, the CAs that vouch for it, the name it must have. */
export interface TrustedPeer {
  /** Key of the Peer, for the caller. */
  name: string;
  serverName: string;
  bundlePem: string;
  identity: string;
}

/** Who is at the other end of an accepted connection, or why it must be closed. */
export type PeerVerdict = { ok: true; peer: TrustedPeer } | { ok: false; message: string };

/**
 * The server's side: for each peer a SecureContext of its own that trusts only
 * that peer's CAs, chosen by SNI. The server itself has no certificate, so a
 * handshake without SNI, or with one that no peer has, cannot succeed. Setting
 * leaf or peers counts from the next handshake on; what is connected stays so.
 */
export class PeerContexts {
  #leaf: CertificateAndKey | undefined;
  #peers = new Map<string, TrustedPeer>();
  readonly #contexts = new Map<string, SecureContext>();

  /** Replaces the certificate shown to every peer; undefined refuses all handshakes. Throws when it does not load. */
  setLeaf(leaf: CertificateAndKey | undefined): void {
    if (leaf !== undefined) {
      createSecureContext({ cert: leaf.certificatePem, key: leaf.privateKeyPem });
    }
    this.#leaf = leaf;
    this.#contexts.clear();
  }

  /**
   * Replaces the peers. Returns, by name, why those were left out whose bundle
   * cannot be used or whose SNI another one has already (an earlier one wins).
   */
  setPeers(peers: readonly TrustedPeer[]): Map<string, string> {
    const refused = new Map<string, string>();
    const accepted = new Map<string, TrustedPeer>();
    for (const peer of peers) {
      const problem = accepted.has(peer.serverName)
        ? `another peer already uses the server name ${peer.serverName}`
        : bundleProblem(peer.bundlePem);
      if (problem === undefined) {
        accepted.set(peer.serverName, peer);
      } else {
        refused.set(peer.name, problem);
      }
    }
    this.#peers = accepted;
    this.#contexts.clear();
    return refused;
  }

  /** Options for tls.createServer or http2.createSecureServer. `handshakeTimeoutMs` bounds a slow handshake. */
  serverOptions(options: { handshakeTimeoutMs: number }): TlsOptions {
    return {
      SNICallback: (serverName, done) => this.#choose(serverName, done),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.3",
      ALPNProtocols: ["h2"],
      handshakeTimeout: options.handshakeTimeoutMs,
      // A resumed session would skip the certificate, and so outlive its Peer.
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
  }

  /** Judges an accepted connection by what is trusted now: its chain, its SNI and its exact identity. */
  verify(socket: TLSSocket): PeerVerdict {
    const serverName = servernameOf(socket);
    const peer = serverName === undefined ? undefined : this.#peers.get(serverName);
    if (peer === undefined) {
      return { ok: false, message: `no peer has the server name ${serverName ?? "(none)"}` };
    }
    if (!socket.authorized) {
      return { ok: false, message: `the client's certificate is not trusted` };
    }
    const error = peerIdentityError(socket.getPeerCertificate(), peer);
    return error === undefined ? { ok: true, peer } : { ok: false, message: error.message };
  }

  #choose(serverName: string, done: (error: Error | null, context?: SecureContext) => void): void {
    const peer = this.#peers.get(serverName);
    if (peer === undefined || this.#leaf === undefined) {
      const what = peer === undefined ? `no peer has the server name ${serverName}` : "no leaf yet";
      done(new Error(what));
      return;
    }
    try {
      done(null, this.#context(peer, this.#leaf));
    } catch (error) {
      done(error instanceof Error ? error : new Error(errorMessage(error)));
    }
  }

  #context(peer: TrustedPeer, leaf: CertificateAndKey): SecureContext {
    const known = this.#contexts.get(peer.serverName);
    if (known !== undefined) {
      return known;
    }
    const context = createSecureContext({
      cert: leaf.certificatePem,
      key: leaf.privateKeyPem,
      ca: peer.bundlePem,
      minVersion: "TLSv1.3",
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
    this.#contexts.set(peer.serverName, context);
    return context;
  }
}

function bundleProblem(bundlePem: string): string | undefined {
  try {
    parseBundle(bundlePem);
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}

function servernameOf(socket: TLSSocket): string | undefined {
  // @types/node leaves out `servername`, set by the server from SNI, and false without one.
  const serverName: unknown = Reflect.get(socket, "servername");
  return typeof serverName === "string" && serverName !== "" ? serverName : undefined;
}
