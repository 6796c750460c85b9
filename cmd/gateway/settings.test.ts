import { expect, test } from "vitest";
import { DEFAULT_GATEWAY_LIMITS } from "../../gateway/limits/limits.ts";
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

test("the namespaces to work in come from the ConfigMap's variable; without it the gateway works in all", () => {
  expect(readSettings([], ENVIRONMENT).namespaces).toBeUndefined();
  const listed = { ...ENVIRONMENT, NAMESPACES: "shop,payments" };
  expect(readSettings([], listed).namespaces).toEqual(["payments", "shop"]);
  const own = { ...ENVIRONMENT, NAMESPACES: "isthmus-system" };
  expect(() => readSettings([], own)).toThrow("NAMESPACES: isthmus-system is Isthmus's own");
});

test("flags come before the environment", () => {
  const settings = readSettings(
    ["--log-level", "debug", "--ingress-port=0", "--drain-delay=10", "--unexport-grace=0"],
    {
      ...ENVIRONMENT,
      LOG_LEVEL: "warn",
      KUBERNETES_SERVICE_HOST: "10.0.0.1",
    },
  );
  expect(settings).toMatchObject({
    logLevel: "debug",
    ports: { ingress: 0 },
    drainDelayMs: 10,
    unexportGraceMs: 0,
    apiServer: "10.0.0.1",
  });
});

test("every bound is a flag, in either notation, and the others keep their defaults", () => {
  const { limits, drainDelayMs } = readSettings(
    ["--max-handshakes", "7", "--drain-delay=10", "--idle-stream-timeout-ms=0"],
    ENVIRONMENT,
  );
  expect(limits).toEqual({
    ...DEFAULT_GATEWAY_LIMITS,
    maxHandshakes: 7,
    idleStreamTimeoutMs: 0,
  });
  expect(drainDelayMs).toBe(10);
});

test.each([
  [[], {}, "CLUSTER_NAME"],
  [["--max-handshakes=0"], ENVIRONMENT, "--max-handshakes"],
  [["--max-handshakes="], ENVIRONMENT, "--max-handshakes"],
  [["--idle-stream-timeout-ms="], ENVIRONMENT, "--idle-stream-timeout-ms"],
  [["--max-header-bytes", "much"], ENVIRONMENT, "--max-header-bytes"],
  [["--header-timeout-ms=100"], ENVIRONMENT, "--header-timeout-ms"],
  [[], { CLUSTER_NAME: "East_1" }, "CLUSTER_NAME"],
  [["--ingress-port=70000"], ENVIRONMENT, "--ingress-port"],
  [["--drain-delay=soon"], ENVIRONMENT, "--drain-delay"],
  [["--no-such-flag=1"], ENVIRONMENT, "no-such-flag"],
])("%j with %j is refused with a message that names %s", (args, environment, named) => {
  expect(() => readSettings(args, environment)).toThrow(named);
});
