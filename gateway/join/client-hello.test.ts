import { Duplex } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { MAX_CLIENT_HELLO_BYTES, readServerName } from "./client-hello.ts";

/** The first bytes of a real client. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  return await new Promise<Buffer>((resolve) => {
    const wire = new Duplex({
      read: () => {},
      write: (chunk: Buffer) => {
        resolve(chunk);
        setImmediate(() => wire.destroy());
      },
    });
    connect({ ...options, socket: wire }).on("error", () => {});
  });
}

/** The same handshake message in records of at most `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let start = 0; start < message.length; start += size) {
    const part = message.subarray(start, start + size);
    const head = Buffer.from([22, 3, 1, 0, 0]);
    head.writeUInt16BE(part.length, 3);
    records.push(head, part);
  }
  return Buffer.concat(records);
}

const NAME = { serverName: "join.isthmus" };
const hello: { bytes: Buffer } = { bytes: Buffer.alloc(0) };

describe("the server name of a ClientHello", () => {
  beforeAll(async () => {
    hello.bytes = await helloOf({ servername: NAME.serverName, ALPNProtocols: ["http/1.1"] });
  });

  test("is that of a real client, and of nobody before it is whole", () => {
    for (let length = 0; length < hello.bytes.length; length += 1) {
      expect(readServerName(hello.bytes.subarray(0, length))).toBe("incomplete");
    }
    expect(readServerName(hello.bytes)).toEqual(NAME);
    expect(readServerName(Buffer.concat([hello.bytes, Buffer.from("more")]))).toEqual(NAME);
  });

  test("is found in records of any size", () => {
    for (const size of [1, 2, 3, 7, 100]) {
      expect(readServerName(inRecords(hello.bytes, size))).toEqual(NAME);
    }
  });

  test("is none where the client names none", async () => {
    expect(readServerName(await helloOf({}))).toBe("none");
  });

  test.each([
    ["of HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["of an alert", Buffer.from([21, 3, 1, 0, 2, 1, 0])],
    ["of a ServerHello", Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
    ["of one that is longer than any", Buffer.from([22, 3, 1, 0, 4, 1, 1, 0, 0])],
    ["of records that never end", inRecords(Buffer.alloc(MAX_CLIENT_HELLO_BYTES + 6, 1), 1)],
  ])("is none in the bytes %s", (_what, bytes) => {
    expect(readServerName(bytes)).toBe("none");
  });

  test("is waited for in 16 KiB at most, whatever the bytes are", () => {
    const empty = Buffer.from([22, 3, 1, 0, 0]);
    const long = Buffer.concat(Array.from({ length: MAX_CLIENT_HELLO_BYTES / 5 + 1 }, () => empty));
    expect(readServerName(inRecords(hello.bytes, 1).subarray(0, 600))).toBe("incomplete");
    expect(readServerName(long)).toBe("none");
  });

  test("is looked for without an error in whatever a client sends", () => {
    const position = fc.nat({ max: hello.bytes.length - 1 });
    fc.assert(
      fc.property(fc.array(fc.tuple(position, fc.nat({ max: 255 })), { maxLength: 8 }), (edits) => {
        const bytes = Buffer.from(hello.bytes);
        for (const [at, value] of edits) bytes[at] = value;
        const seen = readServerName(bytes);
        return typeof seen === "string" || seen.serverName.length < 65_536;
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 512 }), (bytes) => {
        readServerName(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, ...bytes]));
      }),
    );
  });
});
