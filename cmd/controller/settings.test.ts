import { describe, expect, it } from "vitest";
import { readSettings } from "./settings.ts";

const ENVIRONMENT = { CLUSTER_NAME: "east", POD_NAME: "isthmus-controller-0" };

describe("the controller's settings", () => {
  it("come from the environment, with defaults for the rest", () => {
    expect(readSettings([], ENVIRONMENT)).toMatchObject({
      clusterName: "east",
      podName: "isthmus-controller-0",
      logLevel: "info",
      health: { port: 15030 },
      lease: { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 },
    });
  });

  it("take flags before the environment", () => {
    const settings = readSettings(["--log-level", "debug", "--health-port", "0"], {
      ...ENVIRONMENT,
      LOG_LEVEL: "error",
    });
    expect(settings).toMatchObject({ logLevel: "debug", health: { port: 0 } });
  });

  it.each([
    { args: [], environment: {}, names: "CLUSTER_NAME" },
    { args: [], environment: { CLUSTER_NAME: "East!" }, names: "CLUSTER_NAME" },
    { args: ["--health-port", "x"], environment: ENVIRONMENT, names: "--health-port" },
    { args: ["--unknown"], environment: ENVIRONMENT, names: "--unknown" },
  ])("name what is wrong: $names", ({ args, environment, names }) => {
    expect(() => readSettings(args, environment)).toThrow(names);
  });
});
