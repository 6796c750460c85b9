import { describe, expect, test } from "vitest";
import { requireClusterName, toClusterName } from "./cluster-name.ts";

describe("the name of a cluster", () => {
  test.each([
    ["west", "west"],
    ["kind-west", "kind-west"],
    ["Admin@Prod.EU_1", "admin-prod-eu-1"],
    ["arn:aws:eks:eu-west-1:123:cluster/west", "arn-aws-eks-eu-west-1-123-cluster-west"],
    ["-x-", "x"],
    [`${"a".repeat(62)}.b`, "a".repeat(62)],
  ])("comes from context %s as %s", (contextName, name) => {
    expect(toClusterName(contextName)).toBe(name);
    expect(requireClusterName(undefined, contextName)).toBe(name);
  });

  test("has to be given when the context has no letter or digit", () => {
    expect(() => requireClusterName(undefined, "___")).toThrow("cannot name a cluster");
  });

  test("is checked when it is given", () => {
    expect(() => requireClusterName("West", "west")).toThrow('"West" cannot name a cluster');
  });
});
