import { toKubeTime } from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import {
  bad,
  type Findings,
  good,
  isFresh,
  type Policy,
  type PolicyChain,
  recordedStands,
  unknown,
} from "./policy.ts";

/** After GatewayHealthy: a lost API is tolerated only behind a gateway that answers. */
export const API: PolicyChain = {
  type: "ApiReachable",
  policies: [
    watched,
    lostTooLong,
    lostBehindGoodGateway,
    lost,
    recordedStands("ApiReachable"),
    notAsked,
    () => unknown(REASONS.Connecting, "The provider's API is being listed."),
  ],
};

function watched({ api }: Parameters<Policy>[0]): ReturnType<Policy> {
  if (!api.synced || api.failure !== undefined) return undefined;
  const { deniedNamespaces = [] } = api;
  if (deniedNamespaces.length > 0) {
    return good(
      REASONS.SomeNamespacesDenied,
      `The provider's API is being watched, but for what it denies in namespace ${deniedNamespaces.join(", ")}: mirrors of these are closed. Create them there, and the RoleBinding isthmus-link in them.`,
    );
  }
  return good(REASONS.Synced, "The provider's API is being watched.");
}

function lostTooLong(inputs: Parameters<Policy>[0]): ReturnType<Policy> {
  const { api, apiStalenessMs } = inputs;
  if (api.failure === undefined || api.lastHeardMs === undefined || isFresh(inputs)) {
    return undefined;
  }
  return bad(
    REASONS.ApiLostTooLong,
    `Lost for longer than spec.apiStalenessSeconds (${apiStalenessMs / 1000}): ${api.failure.message}`,
  );
}

function lostBehindGoodGateway(
  { api, apiStalenessMs }: Parameters<Policy>[0],
  decided: Findings,
): ReturnType<Policy> {
  if (api.failure === undefined || api.lastHeardMs === undefined) return undefined;
  if (decided.get("GatewayHealthy")?.status !== "True") return undefined;
  const untilMs = api.lastHeardMs + apiStalenessMs;
  return bad(
    REASONS.ApiLostTolerated,
    `Mirrors stay open while the gateway answers, at most until ${toKubeTime(untilMs)} (${api.failure.reason}): ${api.failure.message}`,
  );
}

function lost({ api }: Parameters<Policy>[0]): ReturnType<Policy> {
  return api.failure && bad(api.failure.reason, api.failure.message);
}

function notAsked({ credentials }: Parameters<Policy>[0]): ReturnType<Policy> {
  if (credentials.unusable === undefined) return undefined;
  return unknown(REASONS.Connecting, "The provider's API is not asked without usable credentials.");
}
