import { STEADY_PACE } from "./steady-pace.ts";

/**
 * Asks the web server at HOST RATE times a second, each time over a new connection, and writes what came of it: ten
 * lines of JSON a second, each a list of [begun, milliseconds since the line's \`atMs\`; took; outcome]. The name is
 * resolved once: DNS is not what is looked at. Source ports are taken in turn, so that none is used again while
 * conntrack still binds it to an endpoint that did not answer (2 minutes).
 */
export const STEADY_LOAD_PROGRAM = `
const net = require("node:net");
const dns = require("node:dns/promises");
const { HOST } = process.env;
const [rate, timeoutMs] = ["RATE", "TIMEOUT_MS"].map((name) => Number(process.env[name]));
const TICK_MS = 5;
const TELL_MS = 100;
const BURST = 20;
const FIRST_PORT = 2048;
const PORTS = 60000;
const REQUEST = "GET / HTTP/1.1\\r\\nHost: " + HOST + "\\r\\nConnection: close\\r\\n\\r\\n";
let address;
let lineMs = Date.now();
let line = [];
let asked = 0;

const outcomeOf = (answer) => {
  const status = /^HTTP\\/1\\.1 (\\d+)/.exec(answer)?.[1];
  if (status === undefined) return "!EMPTY";
  const cluster = /hello from (\\S+)/.exec(answer)?.[1];
  return status === "200" && cluster !== undefined ? cluster : "!HTTP" + status;
};

const ask = () => {
  const beganMs = Date.now();
  let answer = "";
  let ended = false;
  const end = (outcome) => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    socket.destroy();
    line.push([beganMs - lineMs, Date.now() - beganMs, outcome]);
  };
  asked += 1;
  const socket = net.connect({ host: address, port: 80, localPort: FIRST_PORT + (asked % PORTS) });
  socket.setEncoding("latin1");
  socket.on("connect", () => socket.write(REQUEST));
  socket.on("data", (piece) => { answer += piece; });
  socket.on("end", () => end(outcomeOf(answer)));
  socket.on("error", (error) => end("!" + (error.code ?? "ERROR")));
  const timer = setTimeout(() => end("!ETIMEDOUT"), timeoutMs);
};

${STEADY_PACE}
resolve().then((found) => {
  address = found;
  every(rate, ask);
  setInterval(() => {
    process.stdout.write(JSON.stringify({ atMs: lineMs, requests: line }) + "\\n");
    lineMs = Date.now();
    line = [];
  }, TELL_MS);
});
process.on("SIGTERM", () => process.exit(0));
`;
