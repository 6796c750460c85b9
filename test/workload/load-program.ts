import { STEADY_PACE } from "./steady-pace.ts";

/**
 * Calls the web server at HOST RATE times a second over new connections and KEPT_RATE times over kept ones, and holds
 * STREAMS open that drip. Writes a line of JSON for each failure and each stream that ended, and once a second its
 * counts. The name is resolved once: DNS is not what is looked at.
 */
export const LOAD_PROGRAM = `
const http = require("node:http");
const dns = require("node:dns/promises");
const { HOST } = process.env;
const [rate, keptRate, streams, timeoutMs] = ["RATE", "KEPT_RATE", "STREAMS", "TIMEOUT_MS"].map((name) => Number(process.env[name]));
const tell = (line) => process.stdout.write(JSON.stringify(line) + "\\n");
const counts = { answered: 0, keptAnswered: 0, openStreams: 0, longestGapMs: 0 };
const agent = new http.Agent({ keepAlive: true, maxSockets: 10 });
const TICK_MS = 10;
const BURST = 50;
let lastAnswerMs;
let address;

const target = (path) => ({ host: address, path, headers: { host: HOST } });

const call = (kept, isRetry = false) => {
  const atMs = Date.now();
  let ended = false;
  const end = (code) => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    if (code !== undefined) {
      // As HTTP clients do: a kept connection that was closed meanwhile is replaced.
      if (kept && !isRetry && request.reusedSocket && code === "ECONNRESET") call(true, true);
      else tell({ failure: { atMs, tookMs: Date.now() - atMs, kept, code, isConnected: !(request.socket?.connecting ?? true) } });
    } else if (kept) counts.keptAnswered += 1;
    else {
      const nowMs = Date.now();
      counts.longestGapMs = Math.max(counts.longestGapMs, nowMs - (lastAnswerMs ?? nowMs));
      lastAnswerMs = nowMs;
      counts.answered += 1;
    }
  };
  const request = http.get({ ...target("/"), agent: kept && !isRetry ? agent : false }, (response) => {
    response.on("error", (error) => end(error.code ?? "ERROR"));
    response.on("end", () => end(response.statusCode === 200 ? undefined : "HTTP" + response.statusCode));
    response.resume();
  });
  request.on("error", (error) => end(error.code ?? "ERROR"));
  const timer = setTimeout(() => { end("ETIMEDOUT"); request.destroy(); }, timeoutMs);
};

const hold = () => {
  const beganMs = Date.now();
  let lastByteMs = beganMs;
  let silentMs = 0;
  let isOpen = false;
  let ended = false;
  const end = (code) => {
    if (ended) return;
    ended = true;
    if (isOpen) counts.openStreams -= 1;
    tell({ stream: { beganMs, endedMs: Date.now(), silentMs, isOpen, code } });
    setTimeout(hold, 100);
  };
  const request = http.get({ ...target("/drip"), agent: false }, (response) => {
    isOpen = true;
    counts.openStreams += 1;
    response.on("data", () => {
      const nowMs = Date.now();
      silentMs = Math.max(silentMs, nowMs - lastByteMs);
      lastByteMs = nowMs;
    });
    response.on("error", (error) => end(error.code ?? "ERROR"));
    response.on("end", () => end("END"));
  });
  request.on("error", (error) => end(error.code ?? "ERROR"));
};

${STEADY_PACE}
resolve().then((found) => {
  address = found;
  for (let count = 0; count < streams; count += 1) hold();
  every(rate, () => call(false));
  every(keptRate, () => call(true));
  setInterval(() => {
    tell({ counts: { atMs: Date.now(), ...counts } });
    counts.longestGapMs = 0;
  }, 1000);
});
process.on("SIGTERM", () => process.exit(0));
`;
