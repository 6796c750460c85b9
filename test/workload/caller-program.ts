/**
 * Calls each target of TARGETS (a JSON list of URLs) every PERIOD_MS over a new connection, and writes one line of JSON
 * for every attempt.
 */
export const CALLER_PROGRAM = `
const http = require("node:http");
const { PERIOD_MS, TIMEOUT_MS } = process.env;
const targets = JSON.parse(process.env.TARGETS);
const periodMs = Number(PERIOD_MS);
const call = (target, index) => {
  const atMs = Date.now();
  const began = performance.now();
  let told = false;
  let waitingFor = "lookup";
  const tell = (outcome) => {
    if (told) return;
    told = true;
    const tookMs = Math.round((performance.now() - began) * 1000) / 1000;
    const which = targets.length > 1 ? { target: index } : {};
    process.stdout.write(JSON.stringify({ atMs, tookMs, ...which, ...outcome }) + "\\n");
  };
  const waitFor = (what) => () => { waitingFor = what; };
  // One address for each attempt: trying the next after a quarter of a second would hide a loss, or make one up.
  const request = http.get(target, { agent: false, autoSelectFamily: false }, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (piece) => { body += piece; });
    response.on("end", () => tell({ status: response.statusCode, body }));
    response.on("error", (error) => tell({ code: error.code ?? "ERROR" }));
  });
  request.on("error", (error) => tell({ code: error.code ?? "ERROR" }));
  request.once("socket", (socket) => {
    socket.once("lookup", waitFor("connect"));
    socket.once("connect", waitFor("answer"));
  });
  setTimeout(() => { tell({ code: "ETIMEDOUT", waitingFor }); request.destroy(); }, Number(TIMEOUT_MS)).unref();
};
targets.forEach((target, index) => {
  setTimeout(() => setInterval(call, periodMs, target, index), (index * periodMs) / targets.length);
});
process.on("SIGTERM", () => process.exit(0));
`;
