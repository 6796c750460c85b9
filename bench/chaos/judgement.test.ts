import { expect, it } from "vitest";
import { countAttempts, licencesOf, trafficVerdicts } from "./judgement.ts";
import type { PastFault } from "./traffic-oracle.ts";

const mirrors = [{ provider: "west", service: "web-1", answer: "hello from west/shop/web-1" }];
const startMs = 1_000_000;
const blackHole: PastFault = {
  id: 3,
  name: "blackHole",
  provider: "west",
  beganMs: startMs + 10_000,
  endedMs: startMs + 15_000,
};

it("says what went wrong, when, and beside which faults", () => {
  const attempts = [
    {
      atMs: startMs + 14_500,
      tookMs: 9000,
      target: 0,
      code: "ETIMEDOUT",
      waitingFor: "answer" as const,
    },
    {
      atMs: startMs + 1000,
      tookMs: 2,
      target: 0,
      status: 200,
      body: "hello from west/shop/web-2\n",
    },
  ];
  const verdicts = trafficVerdicts(mirrors, attempts, [blackHole], startMs);
  expect(verdicts.map(({ problems }) => problems)).toEqual([
    ["at 1.00 s west/web-1: 200 hello from west/shop/web-2 after 2 ms; faults: none"],
    [
      "at 14.50 s west/web-1: no answer in time after 9000 ms; faults: #3 blackHole of west from 10.00 s to 15.00 s",
    ],
    [],
  ]);
});

it("counts attempts by what came of them", () => {
  const refused = { atMs: 0, tookMs: 1, code: "ECONNREFUSED" };
  const answered = { atMs: 0, tookMs: 1, status: 200, body: "hello" };
  const attempts = [refused, { ...refused, tookMs: 1001 }, answered, { ...answered, tookMs: 1001 }];
  expect(countAttempts(attempts)).toEqual({
    total: 4,
    answered: 2,
    answeredLate: 1,
    failed: 2,
    failedFast: 1,
    failures: { ECONNREFUSED: 2 },
  });
});

it("lets a container end only where and while a fault ends it", () => {
  const killed: PastFault = { ...blackHole, name: "gatewayKilled" };
  const { provider: _provider, ...ofConsumer } = blackHole;
  const deposed: PastFault = { ...ofConsumer, name: "leaderPaused" };
  const { beganMs, endedMs } = blackHole;
  expect(licencesOf([blackHole, killed, deposed], "east")).toEqual([
    { cluster: "west", component: "gateway", fromMs: beganMs, toMs: endedMs },
    { cluster: "east", component: "controller", fromMs: beganMs, toMs: endedMs + 30_000 },
  ]);
});
