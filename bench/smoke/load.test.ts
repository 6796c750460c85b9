import { expect, it } from "vitest";
import { parseWrk } from "./load.ts";

const report = `Running 5s test @ http://10.151.0.7
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.10ms    1.02ms  20.00ms   90.00%
    Req/Sec     5.20k   300.00     6.00k    80.00%
  Latency Distribution
     50%  812.00us
     75%    3.30ms
     90%    4.10ms
     99%    1.20s
  26000 requests in 5.00s, 3.00MB read
Requests/sec:   5200.50
Transfer/sec:    600.00KB
`;

it("reads rate and latencies in whatever unit wrk chose", () => {
  expect(parseWrk(report)).toEqual({ requestsPerSecond: 5200.5, p50Ms: 0.812, p99Ms: 1200 });
});

it("refuses a report with failed requests", () => {
  expect(() =>
    parseWrk(`${report}\n  Socket errors: connect 3, read 0, write 0, timeout 0\n`),
  ).toThrow("connect 3");
  expect(() => parseWrk(`${report}\n  Non-2xx or 3xx responses: 7\n`)).toThrow("responses: 7");
});
