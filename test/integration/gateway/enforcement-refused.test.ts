import { expect, test } from "vitest";
import { FRAME, PREFACE, connectRequest, frame, settings } from "./raw-frames.ts";
import { openRawSession } from "./raw-session.ts";
import { createIdentity, startProvider } from "./two-gateways.ts";

test("a session too many may begin and spoil streams: that is no error of the gateway's", async () => {
  const [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
  const provider = await startProvider(west, [east], { limits: { maxSessionsPerPeer: 1 } });
  await openRawSession({ port: provider.port, as: east, to: west });
  for (let count = 0; count < 20; count += 1) {
    const opening = [PREFACE, settings(), connectRequest(1), frame(FRAME.data, { streamId: 0 })];
    const refused = await openRawSession({
      port: provider.port,
      as: east,
      to: west,
      opening: Buffer.concat(opening),
    });
    await refused.ended();
  }
  expect(provider.ingress.activeSessions).toBe(1);
});
