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
      caOverlapMs: 3_600_000,
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

  it("take the overlap of a CA rotation from the ConfigMap's variable, and from the flag before it", () => {
    const environment = { ...ENVIRONMENT, CA_OVERLAP_SECONDS: "60" };
    expect(readSettings([], environment).caOverlapMs).toBe(60_000);
    expect(readSettings(["--ca-overlap-seconds", "90"], environment).caOverlapMs).toBe(90_000);
    const tooShort = { ...ENVIRONMENT, CA_OVERLAP_SECONDS: "9" };
    expect(() => readSettings([], tooShort)).toThrow("CA_OVERLAP_SECONDS");
  });

  it("take the namespaces to work in from the ConfigMap's variables; without them it works in all", () => {
    expect(readSettings([], ENVIRONMENT).namespaces).toBeUndefined();
    const environment = { ...ENVIRONMENT, NAMESPACES: "shop,payments", RETIRED_NAMESPACES: "old" };
    expect(readSettings([], environment)).toMatchObject({
      namespaces: ["payments", "shop"],
      retiredNamespaces: ["old"],
    });
  });

  it("leave certificates to cert-manager only when the ConfigMap says so", () => {
    expect(readSettings([], ENVIRONMENT).foreignCertificates).toBe(false);
    const environment = { ...ENVIRONMENT, CERTIFICATES: "cert-manager" };
    expect(readSettings([], environment).foreignCertificates).toBe(true);
    const misspelt = { ...ENVIRONMENT, CERTIFICATES: "certmanager" };
    expect(() => readSettings([], misspelt)).toThrow("CERTIFICATES");
  });

  it.each([
    { args: [], environment: { ...ENVIRONMENT, NAMESPACES: "" }, names: "NAMESPACES" },
    { args: [], environment: {}, names: "CLUSTER_NAME" },
    { args: [], environment: { CLUSTER_NAME: "East!" }, names: "CLUSTER_NAME" },
    { args: ["--health-port", "x"], environment: ENVIRONMENT, names: "--health-port" },
    { args: ["--unknown"], environment: ENVIRONMENT, names: "--unknown" },
  ])("name what is wrong: $names", ({ args, environment, names }) => {
    expect(() => readSettings(args, environment)).toThrow(names);
  });
});
