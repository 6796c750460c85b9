import { once } from "node:events";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { Handshakes } from "./handshakes.ts";

function counting(max: number) {
  const seen = { count: 0 };
  const onCount = (count: number) => void (seen.count = count);
  return { seen, handshakes: new Handshakes({ max, onGivenUp: () => {}, onCount }) };
}

/** A connection whose client is gone before anybody has asked who it is. */
function begun(handshakes: Handshakes): Socket {
  const socket = new Socket();
  handshakes.begin(socket);
  return socket;
}

test("clients that are gone before they are looked at give their places back", async () => {
  const { seen, handshakes } = counting(4);
  const sockets = [begun(handshakes), begun(handshakes), begun(handshakes)];
  expect(seen.count).toBe(3);
  for (const socket of sockets) {
    const closed = once(socket, "close");
    socket.destroy();
    await closed;
  }
  expect(seen.count).toBe(0);
});

test("however many of them come, there is a place for the next", () => {
  const { seen, handshakes } = counting(4);
  for (let client = 0; client < 20; client += 1) begun(handshakes);
  expect(seen.count).toBe(4);
});
