import type { EndToEndReport } from "../facts/end-to-end.ts";
import { type Finding, findingsOf } from "../report.ts";

const FIXES: Readonly<Record<EndToEndReport["step"], string>> = {
  server:
    "see what kept the pod from running at the provider; the check needs a namespace and a pod there",
  mirror: "see link-conditions, controller-leader and services-skipped",
  call: "see gateway-ready and gateway-reachable, and whether pods here may connect to the gateway pods' egress ports (NetworkPolicies)",
  done: "",
};

/** How far a request from a pod here to a pod of the provider came. Pure. */
export function judgeEndToEnd(linkName: string, { step, message }: EndToEndReport): Finding {
  const { ok, fail } = findingsOf("end-to-end", `Link ${linkName}`);
  return step === "done" ? ok(message) : fail(message, FIXES[step]);
}
