import { connect, type ConnectionOptions } from "node:tls";
import { TerminalError } from "../../../api/errors.ts";
import { type CertificateInfo, parseCertificate } from "../../../pki/certificate.ts";

/**
 * The certificate that a gateway shows, read without trusting it, to tell when
 * one that was refused begins and ends: node:tls keeps it from whoever was
 * refused. Nothing is sent. Undefined when it cannot be had before `signal` aborts.
 */
export async function readShownCertificate(
  tls: ConnectionOptions,
  signal: AbortSignal,
): Promise<CertificateInfo | undefined> {
  const shown = Promise.withResolvers<string | undefined>();
  const socket = connect({ ...tls, rejectUnauthorized: false });
  const giveUp = (): void => shown.resolve(undefined);
  socket.once("secureConnect", () => shown.resolve(socket.getPeerX509Certificate()?.toString()));
  socket.on("error", giveUp);
  socket.once("close", giveUp);
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    const pem = await shown.promise;
    return pem === undefined ? undefined : parseCertificate(pem);
  } catch (error) {
    if (error instanceof TerminalError) return undefined;
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
    socket.destroy();
  }
}
