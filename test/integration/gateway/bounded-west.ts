import type { GatewayLimits } from "../../../gateway/limits/limits.ts";
import { startEcho } from "./loopback.ts";
import { FRAME, connectRequest } from "./raw-frames.ts";
import { type RawSession, openRawSession } from "./raw-session.ts";
import type { Clusters, Identity } from "./identities.ts";
import { type Provider, startProvider } from "./two-gateways.ts";

/** A provider with bounds of a test's own, and raw sessions to it. */

/** West, which exports `shop/web` (an echo unless `backend` is given) to east and north; ended with the test. */
export async function startWest(
  { west, east, north }: Clusters,
  limits: Partial<GatewayLimits>,
  backend?: number,
): Promise<Provider> {
  const provider = await startProvider(west, [east, north], { limits });
  provider.export("web", [backend ?? (await startEcho())]);
  return provider;
}

/** A raw session of one of west's peers; one whose opening is given says nothing else by itself. */
export async function sessionOf(
  as: Identity,
  provider: Provider,
  opening?: Buffer,
): Promise<RawSession> {
  return await openRawSession({
    port: provider.port,
    as,
    to: provider.identity,
    ...(opening !== undefined && { opening, acknowledges: false }),
  });
}

/** Whether a session is served: a stream of its own is answered. */
export async function isServed(session: RawSession, streamId = 1): Promise<boolean> {
  await session.send(connectRequest(streamId));
  return (await session.status(streamId)) === 200;
}

/** The code with which a stream was reset. */
export async function resetCode(session: RawSession, streamId: number): Promise<number> {
  const reset = await session.until(
    `stream ${streamId} is reset`,
    ({ type, streamId: id }) => type === FRAME.rstStream && id === streamId,
  );
  return reset.payload.readUInt32BE(0);
}
