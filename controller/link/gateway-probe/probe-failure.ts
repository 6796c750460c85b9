import { errorMessage } from "../../../api/errors.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { CertificateInfo } from "../../../pki/certificate.ts";
import { PeerIdentityError } from "../../../pki/tls.ts";
import type { ProbeFailure } from "./probe-history.ts";

/** How far a probe came before it failed. */
export type ProbeStage = "connect" | "handshake" | "firstAnswer" | "answer";

/** Alerts by which the other side says that it does not accept our certificate (RFC 8446, 6.2). */
const ALERT_CODE =
  /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE|ACCESS_DENIED|UNRECOGNIZED_NAME|HANDSHAKE_FAILURE|DECRYPT_ERROR|INTERNAL_ERROR)/;
/** By which Node says that the chain of the other side does not verify. */
const CHAIN_CODE =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|ERR_TLS_CERT)/;
const EXPIRED_CODE = "CERT_HAS_EXPIRED";
const NOT_YET_VALID_CODE = "CERT_NOT_YET_VALID";
const CLOSED_CODE = /^(ECONNRESET|EPIPE|ERR_HTTP2_STREAM_ERROR|ERR_HTTP2_SESSION_ERROR)$/;

/** A probe's deadline passed. */
export class ProbeTimeoutError extends Error {
  override readonly name = "ProbeTimeoutError";
}

/** The other side ended the connection without a word. */
export class ConnectionClosedError extends Error {
  override readonly name = "ConnectionClosedError";
}

/** The gateway answered, but not that it is ready. */
export class ProbeStatusError extends Error {
  override readonly name = "ProbeStatusError";
  readonly statusCode: number;

  constructor(statusCode: number) {
    super(`answered ${statusCode}`);
    this.statusCode = statusCode;
  }
}

/** What is known beside the error. */
export interface ProbeContext {
  readonly ownCluster: string;
  /** The certificate that the gateway showed, where its time was what it was refused for. */
  readonly shown?: Pick<CertificateInfo, "notBeforeMs" | "notAfterMs"> | undefined;
  /** The wall clock by which it was refused, in epoch ms. */
  readonly nowMs: number;
}

/** Whether a handshake failed since a certificate of the other side's chain is not valid at this time. */
export function isValidityFailure(error: unknown): boolean {
  return [EXPIRED_CODE, NOT_YET_VALID_CODE].includes(codeOf(error));
}

/** What a failed probe says to an operator. The message is the same for the same failure. */
export function classifyProbeFailure(
  error: unknown,
  stage: ProbeStage,
  context: ProbeContext,
): ProbeFailure {
  const code = codeOf(error);
  if (error instanceof PeerIdentityError) {
    return {
      reason: REASONS.IdentityMismatch,
      message: `${error.message}; correct the address, or spec.gateway.identity.`,
    };
  }
  const validity = classifyValidity(code, context);
  if (validity !== undefined) return validity;
  if (CHAIN_CODE.test(code)) {
    return {
      reason: REASONS.GatewayNotTrusted,
      message: `no CA of spec.trustBundle vouches for the gateway's certificate (${code}); take the provider's bundle anew with link join.`,
    };
  }
  const ended = CLOSED_CODE.test(code) || error instanceof ConnectionClosedError;
  const closed = ended && (stage === "handshake" || stage === "firstAnswer");
  if (ALERT_CODE.test(code) || closed) {
    return {
      reason: REASONS.PeerRejected,
      message: `the gateway turned this cluster's certificate away; check that the provider has a Peer for ${context.ownCluster} with this cluster's trust bundle and identity.`,
    };
  }
  if (error instanceof ProbeStatusError) return classifyStatus(error.statusCode);
  const detail =
    error instanceof ProbeTimeoutError ? "no answer in time" : code || errorMessage(error);
  return {
    reason: REASONS.GatewayUnreachable,
    message: `cannot be reached (${detail}); check the address, the network and the provider's gateway pods.`,
  };
}

/** Undefined where it is not the gateway's own certificate whose time is wrong, but that of its CA. */
function classifyValidity(code: string, { shown, nowMs }: ProbeContext): ProbeFailure | undefined {
  if (shown === undefined) return undefined;
  if (code === EXPIRED_CODE && shown.notAfterMs < nowMs) {
    const at = new Date(shown.notAfterMs).toISOString();
    return {
      reason: REASONS.GatewayCertificateExpired,
      message: `the gateway's certificate expired at ${at}; see in the provider's controller log why it was not renewed, and compare the clocks of both clusters.`,
    };
  }
  if (code === NOT_YET_VALID_CODE && shown.notBeforeMs > nowMs) {
    const from = new Date(shown.notBeforeMs).toISOString();
    return {
      reason: REASONS.GatewayCertificateNotYetValid,
      message: `the gateway's certificate is not valid before ${from}; compare the clocks of both clusters.`,
    };
  }
  return undefined;
}

function classifyStatus(statusCode: number): ProbeFailure {
  return statusCode === 503
    ? {
        reason: REASONS.GatewayDraining,
        message:
          "the gateway is shutting down or not ready (503); check the provider's gateway pods.",
      }
    : {
        reason: REASONS.GatewayUnreachable,
        message: `answered ${statusCode}: it is not a gateway of Isthmus, or of another version; check the address.`,
      };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}
