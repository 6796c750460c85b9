import type { KubeConfig } from "@kubernetes/client-node";
import { TerminalError } from "../../../api/errors.ts";
import type { Secret } from "../../../api/objects.ts";
import { parseLinkKubeconfig } from "../../../kube/kubeconfig/link-kubeconfig.ts";
import { judgeSession, type SessionVerdict } from "./api-observation.ts";
import { kubeconfigTextOf, secretLabel } from "../credentials/credentials.ts";
import type { ApiInput, CredentialsInput, LastingProblem } from "../health/health-inputs.ts";
import type { RemoteSession } from "./remote-session.ts";

interface RunningSession {
  readonly session: RemoteSession;
  readonly startedAtMs: number;
  /** The kubeconfig it was made from. */
  readonly text: string;
}

export interface LinkSessionsOptions {
  nowMs: () => number;
  /** Makes a session and starts it. */
  open: (kubeconfig: KubeConfig) => RemoteSession;
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
  #unusable: LastingProblem | undefined;

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
      this.#markUnusable(error.reason, error.message);
    }
    this.#settle();
  }

  /** What the sessions amount to at this moment. */
  inputs(): { credentials: CredentialsInput; api: ApiInput } {
    const nowMs = this.#options.nowMs();
    const current = verdictOf(this.#current, nowMs);
    const candidate = verdictOf(this.#candidate, nowMs);
    const heardMs = current?.lastHeardMs ?? this.#options.recordedHeardMs;
    // Credentials that cannot reach the provider count from when they were given.
    const lastHeardMs =
      candidate?.failure !== undefined && heardMs !== undefined && this.#candidate !== undefined
        ? Math.min(heardMs, this.#candidate.startedAtMs)
        : heardMs;
    return {
      credentials: {
        unusable: this.#unusable ?? candidate?.denial,
        denial: current?.denial,
        verified: current?.verified === true,
      },
      api: {
        synced: current?.synced === true,
        lastHeardMs,
        failure: candidate?.failure ?? current?.failure,
      },
    };
  }

  stop(): void {
    this.#dropCandidate();
    if (this.#current !== undefined) this.#options.close(this.#current.session);
    this.#current = undefined;
  }

  #useText(text: string, secretName: string): void {
    if (text === this.#current?.text) {
      this.#dropCandidate();
      return;
    }
    if (text === this.#candidate?.text) return;
    const kubeconfig = parseLinkKubeconfig(text, secretLabel(secretName));
    this.#dropCandidate();
    const session = this.#options.open(kubeconfig);
    const running = { session, text, startedAtMs: this.#options.nowMs() };
    if (this.#current?.session.synced === true) {
      this.#candidate = running;
      return;
    }
    if (this.#current !== undefined) this.#options.close(this.#current.session);
    this.#current = running;
  }

  /** Sync, then swap. */
  #settle(): void {
    if (this.#candidate?.session.synced !== true) return;
    const before = this.#current;
    this.#current = this.#candidate;
    this.#candidate = undefined;
    if (before !== undefined) this.#options.close(before.session);
    this.#options.onSwapped();
  }

  #dropCandidate(): void {
    if (this.#candidate !== undefined) this.#options.close(this.#candidate.session);
    this.#candidate = undefined;
  }

  #markUnusable(reason: string, message: string): void {
    const sinceMs =
      this.#unusable?.sinceMs ??
      (this.#current === undefined ? this.#options.recordedUnusableSinceMs : undefined) ??
      this.#options.nowMs();
    this.#unusable = { reason, message, sinceMs };
  }
}

function verdictOf(running: RunningSession | undefined, nowMs: number): SessionVerdict | undefined {
  return running && judgeSession(running.session.observation, nowMs);
}
