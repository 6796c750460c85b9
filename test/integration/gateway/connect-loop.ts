import { connect } from "node:net";

/**
 * A process that connects to a port of loopback without a pause, 8 at a time,
 * every other one without a word, until it is told to stop. It answers with
 * how often each ending was seen; `hanging` is one that took too long.
 */
const HANGING_MS = 5000;
const PARALLEL = 8;
const port = Number(process.argv[2]);
/** How often each ending was seen. */
export type Endings = Record<string, number>;
const endings: Endings = {};

async function attempt(send: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.setTimeout(HANGING_MS);
  try {
    return await new Promise((resolve) => {
      let text = "";
      socket.on("connect", () => socket.write(send));
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      socket.on("end", () => resolve(`${text}end`));
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on("timeout", () => resolve("hanging"));
    });
  } finally {
    socket.destroy();
  }
}

const stopping = new AbortController();

async function run(): Promise<void> {
  for (let count = 0; !stopping.signal.aborted; count += 1) {
    const ending = await attempt(count % 2 === 0 ? "" : "x");
    endings[ending] = (endings[ending] ?? 0) + 1;
  }
}

process.once("message", () => stopping.abort());
await Promise.all(Array.from({ length: PARALLEL }, run));
process.send?.(endings);
