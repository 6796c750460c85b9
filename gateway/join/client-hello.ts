/** What the first bytes of a connection say of the server that its client means. */
export type SeenServerName =
  | { readonly serverName: string }
  /** There may be one in bytes that have not come yet. */
  | "incomplete"
  /** It is no ClientHello with a server name, and will not become one. */
  | "none";

/** More than any client's: those with post-quantum key shares have about 2 KiB. */
export const MAX_CLIENT_HELLO_BYTES = 16 * 1024;

/** RFC 8446 section 5.1 and 4. */
const RECORD_HANDSHAKE = 22;
const RECORD_HEAD_BYTES = 5;
const HANDSHAKE_CLIENT_HELLO = 1;
const HANDSHAKE_HEAD_BYTES = 4;
const VERSION_AND_RANDOM_BYTES = 34;
/** RFC 6066 section 3. */
const EXTENSION_SERVER_NAME = 0;
const NAME_TYPE_HOST = 0;

/**
 * Reads the server name of a TLS ClientHello (RFC 8446 section 4.1.2, RFC 6066
 * section 3). It only tells which server is to look at a connection: that one
 * reads the name again, by OpenSSL, and refuses what is not for it.
 */
export function readServerName(bytes: Buffer): SeenServerName {
  const hello = helloIn(bytes);
  if (hello === "incomplete" && bytes.length >= MAX_CLIENT_HELLO_BYTES) return "none";
  return typeof hello === "string" ? hello : nameIn(new Reader(hello));
}

/** The ClientHello without its head, out of as many records as it is in. */
function helloIn(bytes: Buffer): Buffer | "incomplete" | "none" {
  const fragments: Buffer[] = [];
  let seen = 0;
  for (let start = 0; start < bytes.length;) {
    if (bytes[start] !== RECORD_HANDSHAKE) return "none";
    if (bytes.length < start + RECORD_HEAD_BYTES) return "incomplete";
    const end = start + RECORD_HEAD_BYTES + bytes.readUInt16BE(start + 3);
    const fragment = bytes.subarray(start + RECORD_HEAD_BYTES, end);
    fragments.push(fragment);
    seen += fragment.length;
    start = end;
    if (seen < HANDSHAKE_HEAD_BYTES) continue;
    const message = Buffer.concat(fragments);
    if (message[0] !== HANDSHAKE_CLIENT_HELLO) return "none";
    const length = HANDSHAKE_HEAD_BYTES + message.readUIntBE(1, 3);
    if (length > MAX_CLIENT_HELLO_BYTES) return "none";
    if (message.length >= length) return message.subarray(HANDSHAKE_HEAD_BYTES, length);
  }
  return "incomplete";
}

function nameIn(hello: Reader): SeenServerName {
  hello.skip(VERSION_AND_RANDOM_BYTES);
  hello.take(1); // legacy_session_id
  hello.take(2); // cipher_suites
  hello.take(1); // legacy_compression_methods
  const extensions = hello.take(2);
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const extension = extensions.take(2);
    if (type !== EXTENSION_SERVER_NAME) continue;
    const names = extension.take(2);
    const nameType = names.number(1);
    const name = names.take(2);
    return nameType === NAME_TYPE_HOST && name.left > 0 ? { serverName: name.text() } : "none";
  }
  return "none";
}

/** Reads fields one after the other; beyond the end there is nothing but zeros and empty fields. */
class Reader {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  get left(): number {
    return this.#rest.length;
  }

  skip(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
  }

  number(bytes: number): number {
    const value = this.#rest.length < bytes ? 0 : this.#rest.readUIntBE(0, bytes);
    this.skip(bytes);
    return value;
  }

  /** A field that begins with its length, in so many bytes. */
  take(lengthBytes: number): Reader {
    const length = this.number(lengthBytes);
    const field = new Reader(this.#rest.subarray(0, length));
    this.skip(length);
    return field;
  }

  text(): string {
    return this.#rest.toString("latin1");
  }
}
