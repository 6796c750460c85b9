import { expect, it } from "vitest";
import { bytesReceived, errorsOf, hardRequests, requestsOf } from "./loads.ts";

it("reads how many requests wrk made", () => {
  expect(requestsOf("  Latency 1ms\n  26000 requests in 5.00s, 3.00MB read\n")).toBe(26_000);
  expect(() => requestsOf("unable to connect")).toThrow("unable to connect");
});

it("counts what the receiver of iperf3 got, and hears its errors", () => {
  const end = { sum_sent: { bytes: 9 }, sum_received: { bytes: 7 } };
  expect(bytesReceived(JSON.stringify({ end }))).toBe(7);
  expect(() => bytesReceived('{"error":"the server is busy"}')).toThrow("busy");
  expect(() => bytesReceived(JSON.stringify({ error: "cut off", end }))).toThrow("cut off");
});

it("adds up the errors that wrk counted", () => {
  expect(errorsOf("Socket errors: connect 1, read 20, write 300, timeout 0\n")).toBe(321);
  expect(errorsOf("  7 requests in 1s\n")).toBe(0);
});

it("takes a target that answers nothing as one that takes all the time there is", () => {
  const nothing = { requests: 0, requestsPerSecond: 0, p50Ms: 2000, p99Ms: 2000 };
  const unreachable = "unable to connect to 10.0.0.1:80 Connection refused\n";
  expect(hardRequests(unreachable, 2)).toEqual({ ...nothing, errors: 1 });
  const silent =
    "  0 requests in 2.00s, 0.00B read\n  Socket errors: connect 0, read 3, write 0, timeout 1\n";
  expect(hardRequests(silent, 2)).toEqual({ ...nothing, errors: 4 });
});
