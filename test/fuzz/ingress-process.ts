import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { peerOf } from "../integration/gateway/identities.ts";
import { type Identity, Provider } from "../integration/gateway/two-gateways.ts";

/** An ingress with an echo behind it, as a process of its own (`--expose-gc`): a crash is seen as one. */
export type IngressRequest =
  | { do: "serve"; west: Identity; consumers: readonly Identity[] }
  | { do: "count" };

/** What the process holds, after garbage collection. */
export interface Holdings {
  sessions: number;
  activeStreams: number;
  /** Sessions accepted since the start. */
  accepted: number;
  fileDescriptors: number;
  heapBytes: number;
}

let provider: Provider | undefined;

async function serve(west: Identity, consumers: readonly Identity[]): Promise<number> {
  const echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(echo, "listening");
  const address = echo.address();
  // Whoever left without a word is found sooner than it need be, and who offends is never kept out.
  provider = new Provider(west, {
    limits: { peerPingIntervalMs: 1000, peerPingTimeoutMs: 4000, maxPenaltyMs: 0 },
  });
  provider.ingress.setPeers(consumers.map(peerOf));
  provider.export("web", [typeof address === "object" && address !== null ? address.port : 0]);
  await provider.ingress.start();
  return provider.port;
}

async function count(): Promise<Holdings> {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    await nextTurn();
  }
  const active = await provider?.registry.getSingleMetric("isthmus_gateway_active_streams")?.get();
  return {
    sessions: provider?.ingress.activeSessions ?? 0,
    activeStreams: (active?.values ?? []).reduce((sum, { value }) => sum + value, 0),
    accepted: (await provider?.accepted()) ?? 0,
    fileDescriptors: readdirSync("/proc/self/fd").length,
    heapBytes: process.memoryUsage().heapUsed,
  };
}

process.on("message", (request: IngressRequest) => {
  const answer = request.do === "serve" ? serve(request.west, request.consumers) : count();
  void answer.then((result) => process.send?.(result));
});
// Ends with the test, however that ends.
process.once("disconnect", () => process.exit());
