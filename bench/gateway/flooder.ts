import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { gatewayIdentity, peerServerName } from "../../api/names.ts";
import { clientTlsOptions } from "../../pki/tls.ts";
import { FLOODS, sendFlood } from "../../test/integration/gateway/flood.ts";
import { PREFACE, settings } from "../../test/integration/gateway/raw-frames.ts";
import { RawSession } from "../../test/integration/gateway/raw-session.ts";
import { FLOODING, type FlooderSettings } from "./flooder-settings.ts";

/*
 * A trusted consumer that misbehaves: opens CONNECT streams and resets each at once (CVE-2023-44487), as fast as the
 * gateway takes them, and comes back whenever its session is ended. On SIGTERM it writes what it did and ends.
 */

const { address, port, as, to }: FlooderSettings = JSON.parse(
  readFileSync(process.argv[2] ?? "", "utf8"),
);
const stopping = new AbortController();
process.once("SIGTERM", () => stopping.abort());
const { signal } = stopping;

let resets = 0;
let sessionsEnded = 0;
console.log(FLOODING);
while (!signal.aborted) {
  const socket = connect({
    ...clientTlsOptions({
      leaf: as.leaf,
      bundlePem: to.ca.certificatePem,
      identity: gatewayIdentity(to.name),
      serverName: peerServerName(as.name),
    }),
    host: address,
    port,
  });
  const session = new RawSession(socket);
  await once(socket, "secureConnect", { signal }).catch(() => socket.destroy());
  await session.send(PREFACE, settings());
  const flood = FLOODS["rapid reset"];
  resets += await sendFlood(session, flood, { maxTurns: Number.POSITIVE_INFINITY, signal });
  if (!signal.aborted) sessionsEnded += 1;
  socket.destroy();
}
console.log(JSON.stringify({ resets, sessionsEnded }));
