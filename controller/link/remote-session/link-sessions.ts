import type { KubeConfig } from "@kubernetes/client-node";
import { TerminalError } from "../../../api/errors.ts";
import type { Secret } from "../../../api/objects.ts";
import { parseLinkKubeconfig } from "../../../kube/kubeconfig/link-kubeconfig.ts";
import { judgeSession, type SessionVerdict } from "./api-observation.ts";
import { kubeconfigTextOf, secretLabel } from "../credentials/credentials.ts";
import type {
  ApiInput,
  CredentialsInput,
  LastingProblem,
  Problem,
} from "../health/health-inputs.ts";
import type { RemoteSession } from "./remote-session.ts";

interface RunningSession {
  readonly session: RemoteSession;
  /** The kubeconfig it was made from. */
  readonly text: string;
}

export interface LinkSessionsOptions {
  nowMs: () => number;
  /** Makes a session and starts it; with `mustSayWho` its cluster has to name itself. */
  open: (kubeconfig: KubeConfig, mustSayWho: boolean) => RemoteSession;
  /** Ends one; does not wait. */
  close: (session: RemoteSession) => void;
  /** Another session took over: everything it knows may differ. */
  onSwapped: () => void;
  /** By the record of before a restart: when the API was last heard, since when credentials were bad. */
  recordedHeardMs: number | undefined;
  recordedUnusableSinceMs: number | undefined;
}

/**
 * The session in use and, while a Secret's new credentials are tried, the one
 * that takes over once it has listed everything. Bad credentials never end a
 * session that works: its Link's staleness bound does.
 */
export class LinkSessions {
  readonly #options: LinkSessionsOptions;
  #current: RunningSession | undefined;
  #candidate: RunningSession | undefined;
  #unusable: Problem | undefined;
  /** Since when the Secret has held something else than what is in use. */
  #divertedSinceMs: number | undefined;

  constructor(options: LinkSessionsOptions) {
    this.#options = options;
  }

  get current(): RemoteSession | undefined {
    return this.#current?.session;
  }

  /** The kubeconfig text behind the current session. */
  get currentText(): string | undefined {
    return this.#current?.text;
  }

  /** Takes the Secret as it is now; the same content again changes nothing. */
  use(secret: Secret | undefined, secretName: string): void {
    try {
      const text = kubeconfigTextOf(secret, secretName);
      this.#useText(text, secretName);
      this.#unusable = undefined;
    } catch (error) {
      if (!(error instanceof TerminalError)) throw error;
      this.#dropCandidate();
      this.#unusable = { reason: error.reason, message: error.message };
      this.#divertedSinceMs ??= this.#recordedSinceMs ?? this.#options.nowMs();
    }
    this.#settle();
  }

  /** What the sessions amount to at this moment. */
  inputs(): { credentials: CredentialsInput; api: ApiInput } {
    const nowMs = this.#options.nowMs();
    const current = verdictOf(this.#current, nowMs);
    const candidate = verdictOf(this.#candidate, nowMs);
    const heardMs = current?.lastHeardMs ?? this.#options.recordedHeardMs;
    const divertedSinceMs = this.#divertedSinceMs ?? nowMs;
    // Credentials that cannot reach the provider count from when they were given.
    const lastHeardMs =
      candidate?.failure !== undefined && heardMs !== undefined
        ? Math.min(heardMs, divertedSinceMs)
        : heardMs;
    const unusable = this.#unusable ?? candidate?.refused ?? candidate?.denial;
    return {
      credentials: {
        refused: current?.refused,
        unusable: unusable && lasting(unusable, divertedSinceMs),
        denial: current?.denial,
        verified: current?.verified === true,
      },
      api: {
        synced: current?.synced === true,
        lastHeardMs,
        failure: candidate?.failure ?? current?.failure,
        deniedNamespaces: current?.deniedNamespaces ?? [],
      },
    };
  }

  stop(): void {
    this.#dropCandidate();
    if (this.#current !== undefined) this.#options.close(this.#current.session);
    this.#current = undefined;
  }

  #useText(text: string, secretName: string): void {
    const outdated = this.#current?.session.outdated === true;
    if (text === this.#current?.text && !outdated) {
      this.#dropCandidate();
      this.#divertedSinceMs = undefined;
      return;
    }
    if (text === this.#candidate?.text) return;
    const kubeconfig = parseLinkKubeconfig(text, secretLabel(secretName));
    this.#dropCandidate();
    const session = this.#options.open(kubeconfig, this.current?.identity !== undefined);
    if (this.#current?.session.synced === true) {
      // One bad Secret after the other does not buy more time.
      this.#divertedSinceMs ??= this.#options.nowMs();
      this.#candidate = { session, text };
      return;
    }
    if (this.#current !== undefined) this.#options.close(this.#current.session);
    this.#divertedSinceMs = undefined;
    this.#current = { session, text };
  }

  /** Sync, then swap. */
  #settle(): void {
    if (this.#candidate?.session.synced !== true) return;
    const before = this.#current;
    this.#current = this.#candidate;
    this.#candidate = undefined;
    this.#divertedSinceMs = undefined;
    if (before !== undefined) this.#options.close(before.session);
    this.#options.onSwapped();
  }

  #dropCandidate(): void {
    if (this.#candidate !== undefined) this.#options.close(this.#candidate.session);
    this.#candidate = undefined;
  }

  /** Before this process had any credentials, the record says since when they were bad. */
  get #recordedSinceMs(): number | undefined {
    return this.#current === undefined ? this.#options.recordedUnusableSinceMs : undefined;
  }
}

function lasting({ reason, message }: Problem, sinceMs: number): LastingProblem {
  return { reason, message, sinceMs };
}

function verdictOf(running: RunningSession | undefined, nowMs: number): SessionVerdict | undefined {
  return running && judgeSession(running.session.observation, nowMs);
}
