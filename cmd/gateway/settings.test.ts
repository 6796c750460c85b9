import { expect, test } from "vitest";
import { readSettings } from "./settings.ts";

const ENVIRONMENT = { CLUSTER_NAME: "east" };

test("the cluster's name is all that has to be given", () => {
  expect(readSettings([], ENVIRONMENT)).toMatchObject({
    clusterName: "east",
    logLevel: "info",
    ports: { ingress: 15_008, health: 15_020 },
    sessionsPerAddress: 2,
    drainDelayMs: 5000,
    drainDeadlineMs: 25_000,
    apiServer: undefined,
  });
});

test("flags come before the environment", () => {
  const settings = readSettings(["--log-level", "debug", "--ingress-port=0", "--drain-delay=10"], {
    ...ENVIRONMENT,
    LOG_LEVEL: "warn",
    KUBERNETES_SERVICE_HOST: "10.0.0.1",
  });
  expect(settings).toMatchObject({
    logLevel: "debug",
    ports: { ingress: 0 },
    drainDelayMs: 10,
    apiServer: { address: "10.0.0.1", port: 443 },
  });
});

test.each([
  [[], {}, "CLUSTER_NAME"],
  [[], { CLUSTER_NAME: "East_1" }, "CLUSTER_NAME"],
  [["--ingress-port=70000"], ENVIRONMENT, "--ingress-port"],
  [["--drain-delay=soon"], ENVIRONMENT, "--drain-delay"],
  [["--no-such-flag=1"], ENVIRONMENT, "no-such-flag"],
])("%j with %j is refused with a message that names %s", (args, environment, named) => {
  expect(() => readSettings(args, environment)).toThrow(named);
});
