import { linkServiceAccountName } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { apiVersionOf } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { CliError } from "../cli-error.ts";
import { toYamlStream } from "../install/print-manifests.ts";
import type { Reporter } from "../reporter.ts";
import { credentialsObject, linkKubeconfig, linkObject } from "./consumer-objects.ts";
import { requestLinkToken, TOKEN_LIFETIME_MS } from "./link-token.ts";
import { type Direction, type JoinPlan, planJoin } from "./preflight.ts";
import { type JoinObject, providerObjects } from "./provider-objects.ts";

/** The parts of a join, each for one cluster and one handling. */
export const JOIN_PARTS = ["provider", "consumer", "secret"] as const;
export type JoinPart = (typeof JOIN_PARTS)[number];

export interface RenderJoinOptions {
  direction: Direction;
  /** Which parts are wanted; without `secret` no token is asked for. */
  parts: readonly JoinPart[];
  /** Lifetime of the credentials' tokens; default: an hour. */
  tokenLifetimeMs?: number | undefined;
  reporter: Reporter;
  signal: AbortSignal;
}

/** YAML of each part; the secret is undefined as long as the consumer has no account on the provider. */
export interface RenderedJoin {
  readonly provider: string;
  readonly consumer: string;
  readonly secret: string | undefined;
}

/**
 * What `link join` would make, as manifests for a repository. Nothing is
 * applied; only a token is asked for, once the account exists.
 * @throws CliError as `link join` does for what stands in the way, and when the
 * secret alone is wanted and the account does not exist.
 */
export async function renderJoin(options: RenderJoinOptions): Promise<RenderedJoin> {
  const { direction, parts, reporter, signal } = options;
  reporter.progress("looking at both clusters");
  const plan = await planJoin(direction, reporter, signal);
  const secret = parts.includes("secret") ? await renderSecret(plan, options) : undefined;
  if (secret === undefined && parts.length === 1 && parts[0] === "secret") {
    throw accountMissing(plan);
  }
  return { provider: renderProvider(plan), consumer: renderConsumer(plan), secret };
}

function renderProvider({ direction, provider, consumer }: JoinPlan): string {
  const comment = [
    `For cluster ${provider.clusterName}, the provider: the account of cluster ${consumer.clusterName} with its rights,`,
    "and the Peer by which the gateway lets it in. Nothing of it is secret.",
    `kubectl --context ${direction.provider.contextName} apply -f provider.yaml`,
  ];
  return commented(comment, providerObjects(consumer, provider));
}

function renderConsumer({ direction, provider, consumer, linkName, gateway }: JoinPlan): string {
  const comment = [
    `For cluster ${consumer.clusterName}, the consumer: the Link to cluster ${provider.clusterName}. Nothing of it is secret.`,
    `kubectl --context ${direction.consumer.contextName} apply -f consumer.yaml`,
  ];
  return commented(comment, [linkObject(linkName, provider, gateway)]);
}

/** Undefined where the account is not there yet, so that there is no token. */
async function renderSecret(
  plan: JoinPlan,
  { tokenLifetimeMs = TOKEN_LIFETIME_MS, signal }: RenderJoinOptions,
): Promise<string | undefined> {
  const { direction, provider, consumer, linkName, endpoint } = plan;
  let token: string;
  try {
    token = await requestLinkToken(
      direction.provider,
      consumer.clusterName,
      tokenLifetimeMs,
      signal,
    );
  } catch (error) {
    if (isApiError(error, 404)) return undefined;
    throw error;
  }
  const kubeconfig = linkKubeconfig(provider.clusterName, endpoint, token);
  const credentials = credentialsObject(linkName, provider.clusterName, kubeconfig);
  credentials.object.metadata.annotations = ONCE_ONLY;
  const comment = [
    `SECRET. For cluster ${consumer.clusterName}, the consumer: the credentials for the API of cluster ${provider.clusterName}.`,
    "Seal or encrypt it before it goes into a repository. The controller renews the token in the",
    "cluster: apply it once, and let no tool put this first token back (docs/joining.md, GitOps).",
    `kubectl --context ${direction.consumer.contextName} apply -f secret.yaml`,
  ];
  return commented(comment, [credentials]);
}

/** Flux then makes the Secret where it is missing, and never puts the first token back. */
const ONCE_ONLY = { "kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent" };

function accountMissing({ direction, provider, consumer }: JoinPlan): CliError {
  const account = linkServiceAccountName(consumer.clusterName);
  return new CliError(
    `cluster ${provider.clusterName} has no ServiceAccount ${account} yet, so that no token can be issued for the Secret`,
    {
      fix: `apply what --show provider prints to context ${direction.provider.contextName} first`,
    },
  );
}

function commented(comment: readonly string[], objects: readonly JoinObject[]): string {
  const head = comment.map((line) => `# ${line}\n`).join("");
  return head + toYamlStream(objects.map(withHead));
}

function withHead({ resource, object }: JoinObject): KubeObject {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object };
}
