import { constants } from "node:crypto";
import {
  type ConnectionOptions,
  type SecureContext,
  type TlsOptions,
  createSecureContext,
} from "node:tls";
import { JOIN_SERVER_NAME } from "../api/join-token.ts";
import type { CertificateAndKey } from "./authority.ts";
import { peerIdentityError } from "./tls.ts";

/**
 * TLS for the exchange of join tokens, where only the server shows a
 * certificate: TLS 1.3, one SNI, HTTP/1.1 by ALPN. A server of its own: what
 * mutual TLS asks of clients (tls.ts) is no option that this one could loosen.
 */

const ALPN_PROTOCOLS = ["http/1.1"];

/** What the consumer's side dials with: trust in the token's bundle alone, and the gateway's identity in place of a host name. */
export function joinClientTlsOptions(options: {
  bundlePem: string;
  identity: string;
}): ConnectionOptions {
  return {
    ca: options.bundlePem,
    servername: JOIN_SERVER_NAME,
    minVersion: "TLSv1.3",
    ALPNProtocols: ALPN_PROTOCOLS,
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => peerIdentityError(certificate, options),
  };
}

/** The server's side: shows the gateway's leaf under {@link JOIN_SERVER_NAME}, and to no other SNI anything. */
export class JoinContext {
  #context: SecureContext | undefined;

  /** Replaces the certificate; undefined refuses all handshakes. Throws when it does not load. */
  setLeaf(leaf: CertificateAndKey | undefined): void {
    this.#context =
      leaf &&
      createSecureContext({
        cert: leaf.certificatePem,
        key: leaf.privateKeyPem,
        minVersion: "TLSv1.3",
        secureOptions: constants.SSL_OP_NO_TICKET,
      });
  }

  /** Options for https.createServer. `handshakeTimeoutMs` bounds a slow handshake. */
  serverOptions(options: { handshakeTimeoutMs: number }): TlsOptions {
    return {
      SNICallback: (serverName, done) => {
        if (serverName === JOIN_SERVER_NAME && this.#context !== undefined) {
          done(null, this.#context);
        } else {
          done(new Error("no tokens are taken under this server name"));
        }
      },
      requestCert: false,
      minVersion: "TLSv1.3",
      ALPNProtocols: ALPN_PROTOCOLS,
      handshakeTimeout: options.handshakeTimeoutMs,
      // Nothing is kept of a client, so nothing is to be resumed.
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
  }
}
