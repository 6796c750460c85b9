import type { KubeConfig } from "@kubernetes/client-node";
import type { Clock, Random } from "../../../api/clock.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { Startable } from "../../../api/startable.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import type { KubeMetrics } from "../../../kube/metrics.ts";
import { Reflector } from "../../../kube/reflector/reflector.ts";
import { readToken, type TokenInfo } from "../credentials/token.ts";
import type { Problem } from "../health/health-inputs.ts";

export interface OwnAccountOptions {
  linkName: string;
  client: KubeClient;
  clock: Clock;
  random: Random;
  metrics: KubeMetrics;
  idleDeadlineMs: number;
  onChanged: () => void;
}

/**
 * Watches the ServiceAccount that a link's token belongs to. An API server goes
 * on accepting a known token for 10 s after its account was deleted
 * (TokenSuccessCacheTTL in pkg/kubeapiserver/options/authentication.go), so no
 * answer to a request tells of it sooner. Where the account may not be
 * watched nothing is concluded: the heartbeat finds out, later.
 */
export class OwnAccount implements Startable {
  readonly #info: TokenInfo;
  readonly #server: string;
  readonly #reflector: Reflector<KubeObject>;

  constructor(info: TokenInfo, options: OwnAccountOptions) {
    const { client, clock, random, metrics, idleDeadlineMs, linkName } = options;
    this.#info = info;
    this.#server = client.server;
    // Without a logger: credentials of before this right existed would fill the log.
    this.#reflector = new Reflector<KubeObject>({
      client,
      clock,
      random,
      metrics,
      idleDeadlineMs,
      resource: RESOURCES.serviceAccounts,
      namespace: info.namespace,
      fieldSelector: `metadata.name=${info.serviceAccount}`,
      name: `${linkName}/serviceaccount`,
    });
    this.#reflector.onEvent(options.onChanged);
    this.#reflector.onState(options.onChanged);
  }

  /** Why the token is worthless, once that has been seen. */
  get revoked(): Problem | undefined {
    if (!this.#reflector.synced) return undefined;
    const { namespace, serviceAccount, uid } = this.#info;
    const found = this.#reflector.store.get(`${namespace}/${serviceAccount}`);
    const name = `ServiceAccount ${namespace}/${serviceAccount}`;
    if (found === undefined) return revoked(`${name} was deleted at ${this.#server}`);
    return uid === undefined || uid === found.metadata.uid
      ? undefined
      : revoked(`${name} at ${this.#server} is not the one the token was made for`);
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#reflector.start(signal);
  }

  async stop(): Promise<void> {
    await this.#reflector.stop();
  }
}

/** Whose token a kubeconfig holds, if it is a ServiceAccount's. */
export function accountOf(kubeconfig: KubeConfig, nowMs: number): TokenInfo | undefined {
  const token = kubeconfig.getCurrentUser()?.token;
  return token === undefined ? undefined : readToken(token, nowMs);
}

function revoked(what: string): Problem {
  return {
    reason: REASONS.CredentialsRevoked,
    message: `${what}: the credentials were revoked; join again with link join if that was not meant.`,
  };
}
