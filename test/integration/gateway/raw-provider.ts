import { once } from "node:events";
import { createServer } from "node:tls";
import { onTestFinished } from "vitest";
import { FRAME, FLAG, PREFACE, type Frame, frame, settings } from "./raw-frames.ts";
import { RawSession } from "./raw-session.ts";
import type { Identity } from "./two-gateways.ts";

/** What a provider that is not ours does with a session: nothing but answer SETTINGS and PINGs by itself. */
export interface RawProvider {
  readonly port: number;
  readonly sessions: RawSession[];
}

/** A provider of which the test writes every byte after its SETTINGS; ended with the test. */
export async function startRawProvider(
  identity: Identity,
  consumer: Identity,
  opening: Buffer = settings(),
): Promise<RawProvider> {
  const sessions: RawSession[] = [];
  const server = createServer(
    {
      cert: identity.leaf.certificatePem,
      key: identity.leaf.privateKeyPem,
      ca: consumer.ca.certificatePem,
      requestCert: true,
      ALPNProtocols: ["h2"],
    },
    (socket) => {
      const session = new RawSession(socket, PREFACE.length);
      sessions.push(session);
      void session.send(opening);
    },
  );
  onTestFinished(() => {
    server.close();
    for (const { socket } of sessions) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0, sessions };
}

/** Answers every request of the sessions there are, from now on, with what `answer` says. */
export function answerRequests(
  { sessions }: RawProvider,
  answer: (streamId: number) => Buffer,
): void {
  for (const session of sessions) {
    session.onFrame = ({ type, streamId }: Frame) => {
      if (type === FRAME.headers) void session.send(answer(streamId));
    };
  }
}

/** HEADERS of status 200, from the static table (RFC 7541 appendix A). */
export function accepted(streamId: number): Buffer {
  return frame(FRAME.headers, { flags: FLAG.endHeaders, streamId, payload: Buffer.of(0x88) });
}
