import { describe, expect, test } from "vitest";
import { podTrouble } from "./rollout.ts";

const metadata = { name: "isthmus-gateway-1" };

describe("what keeps a pod from being ready", () => {
  test("is nothing to tell while its container is being made", () => {
    const state = { waiting: { reason: "ContainerCreating" } };
    const status = { containerStatuses: [{ name: "gateway", state }] };
    expect(podTrouble({ metadata, status })).toBeUndefined();
  });

  test("is told with the image that cannot be pulled", () => {
    const waiting = { reason: "ImagePullBackOff", message: 'Back-off pulling image "nowhere/x"' };
    const status = { containerStatuses: [{ name: "gateway", state: { waiting } }] };
    expect(podTrouble({ metadata, status })).toBe(
      'Pod isthmus-gateway-1, container gateway: ImagePullBackOff: Back-off pulling image "nowhere/x"',
    );
  });

  test("is told with how the container ended before", () => {
    const status = {
      containerStatuses: [
        {
          name: "gateway",
          state: { waiting: { reason: "CrashLoopBackOff" } },
          lastState: { terminated: { reason: "Error", exitCode: 2 } },
        },
      ],
    };
    expect(podTrouble({ metadata, status })).toBe(
      "Pod isthmus-gateway-1, container gateway: CrashLoopBackOff (it ended with Error 2)",
    );
  });

  test("is told with the scheduler's reason", () => {
    const message = "0/3 nodes are available: 3 Insufficient memory.";
    const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable", message };
    expect(podTrouble({ metadata, status: { conditions: [condition] } })).toBe(
      `Pod isthmus-gateway-1 is Unschedulable: ${message}`,
    );
  });
});
