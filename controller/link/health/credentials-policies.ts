import { REASONS } from "../../../api/reasons.ts";
import { bad, good, type Policy, type PolicyChain, recordedStands, unknown } from "./policy.ts";

export const CREDENTIALS: PolicyChain = {
  type: "CredentialsValid",
  policies: [
    refused,
    unusable,
    denied,
    accepted,
    recordedStands("CredentialsValid"),
    () =>
      unknown(
        REASONS.CredentialsUnverified,
        "The provider's API has not judged the credentials yet.",
      ),
  ],
};

function refused({ credentials }: Parameters<Policy>[0]): ReturnType<Policy> {
  return credentials.refused && bad(credentials.refused.reason, credentials.refused.message);
}

function unusable({ credentials }: Parameters<Policy>[0]): ReturnType<Policy> {
  return credentials.unusable && bad(credentials.unusable.reason, credentials.unusable.message);
}

function denied({ credentials }: Parameters<Policy>[0]): ReturnType<Policy> {
  return credentials.denial && bad(credentials.denial.reason, credentials.denial.message);
}

function accepted({ credentials }: Parameters<Policy>[0]): ReturnType<Policy> {
  if (!credentials.verified) return undefined;
  return good(REASONS.KubeconfigValid, "The provider accepts the credentials.");
}
