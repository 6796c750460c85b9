import type { Clock, Random } from "../../api/clock.ts";
import type { Link, LinkSpec } from "../../api/link.ts";
import { GATEWAY_TLS_SECRET_NAME, INSTALL_NAMESPACE, LINK_FINALIZER } from "../../api/names.ts";
import type { Secret } from "../../api/objects.ts";
import { REASONS } from "../../api/reasons.ts";
import type { Startable } from "../../api/startable.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Logger } from "../../kube/logger.ts";
import type { KubeMetrics } from "../../kube/metrics.ts";
import {
  type Controller,
  createController,
  type ReconcileContext,
  type Result,
} from "../../kube/reconciler/reconciler.ts";
import type { Reflector } from "../../kube/reflector/reflector.ts";
import { forgetLink, type LinkMetrics, showCondition } from "../metrics.ts";
import { credentialsSecretKeyOf } from "./credentials/credentials.ts";
import { addFinalizer, dropFinalizer } from "./finalizer.ts";
import { assessHealth, isOpen, nextDeadlineMs, refuseLink } from "./health/health.ts";
import type { Problem } from "./health/health-inputs.ts";
import { LinkBook } from "./link-book.ts";
import type { LinkViews } from "./link-view.ts";
import type { LinkWatcher } from "./link-watcher.ts";
import { LinkWatchers } from "./link-watchers.ts";
import type { ProviderTimeouts } from "./remote-session/remote-session.ts";
import type { StatusInputs } from "./link-status/link-status.ts";
import type { MirrorSink } from "./mirror-sink.ts";
import { ownClusterProblem, readSpec, rivalryOf } from "./link-status/refusal.ts";
import { LinkStatusWriter } from "./link-status/status-writer.ts";
import { readOwnLeaf } from "./trust-following/trust-input.ts";

export interface LinkManagerOptions {
  client: KubeClient;
  links: Reflector<Link>;
  secrets: Reflector<Secret>;
  ownCluster: string;
  /** The only namespaces that mirrors may be in; undefined: all. */
  namespaces?: readonly string[] | undefined;
  /** How long providers are waited for; the session's own times when absent. */
  providerTimeouts?: ProviderTimeouts | undefined;
  /** Whether this replica leads at this moment. */
  leading: () => boolean;
  events: EventRecorder;
  clock: Clock;
  random: Random;
  logger: Logger;
  kubeMetrics: KubeMetrics;
  metrics: LinkMetrics;
}

export interface LinkManager extends Startable {
  /** The links as the mirrors see them; as recorded in their status until `start`. */
  readonly views: LinkViews;
  /** What runs for a link, if it is acted on. */
  watcher(linkName: string): LinkWatcher | undefined;
  /** Whom to tell of changes; before `start`. */
  connect(mirrors: MirrorSink): void;
}

const RETIRE_RETRY_MS = 500;
/** How long the mirrors wait for the status when a link opens or closes. */
const STATUS_FIRST_MS = 1_000;

/**
 * One watcher per Link, and the decision from what it sees: conditions, Events
 * and the view that opens or closes mirrors. `links` and `secrets` have to be
 * synced before the start.
 */
export function createLinkManager(options: LinkManagerOptions): LinkManager {
  return new ReconcilingLinkManager(options);
}

class ReconcilingLinkManager implements LinkManager {
  readonly #options: LinkManagerOptions;
  readonly #controller: Controller;
  readonly #status: LinkStatusWriter;
  readonly #book: LinkBook;
  readonly #watchers: LinkWatchers;
  readonly #subscriptions: (() => void)[] = [];
  #mirrors: MirrorSink | undefined;

  constructor(options: LinkManagerOptions) {
    const { clock, random, logger, kubeMetrics } = options;
    this.#options = options;
    const find = (name: string): Link | undefined => options.links.store.get(linkKey(name));
    this.#book = new LinkBook(find, options.leading);
    this.#watchers = new LinkWatchers(options, {
      onServiceChanged: (name, key) => this.#mirrors?.enqueueService(name, key),
      onChanged: (name) => this.#enqueue(name),
      onSwapped: (name) => this.#mirrors?.enqueueLink(name),
    });
    this.#status = new LinkStatusWriter(options);
    this.#controller = createController({
      name: "link",
      reconcile: async ({ key }, context) => await this.#reconcile(key, context),
      clock,
      random,
      logger,
      metrics: kubeMetrics,
    });
  }

  get views(): LinkViews {
    const { links } = this.#options;
    return {
      get: (name) => this.#book.get(name),
      list: () =>
        links.store
          .list()
          .map(({ metadata }) => this.#book.get(metadata.name))
          .filter((view) => view !== undefined),
    };
  }

  watcher(linkName: string): LinkWatcher | undefined {
    return this.#watchers.get(linkName);
  }

  connect(mirrors: MirrorSink): void {
    this.#mirrors = mirrors;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { links, secrets } = this.#options;
    this.#subscriptions.push(
      links.onEvent(({ key, type, previous }) => {
        this.#enqueue(nameOf(key));
        // Another Link may have lost or won its cluster name.
        if (type === "delete" || previous === undefined) this.#enqueueAll();
      }),
      secrets.onEvent(({ key }) => this.#onSecret(key)),
    );
    const unsubscribe = this.#mirrors?.onTally((name) => this.#enqueue(name));
    if (unsubscribe !== undefined) this.#subscriptions.push(unsubscribe);
    this.#enqueueAll();
    await this.#controller.start(signal);
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    await this.#controller.stop();
    await this.#watchers.stop();
    // From now on another replica knows how its links are.
    const { links, metrics } = this.#options;
    for (const { metadata } of links.store.list()) forgetLink(metrics, metadata.name);
  }

  async #reconcile(name: string, context: ReconcileContext): Promise<Result> {
    const link = this.#options.links.store.get(linkKey(name));
    if (link === undefined) {
      this.#forget(name);
      return {};
    }
    if (link.metadata.deletionTimestamp !== undefined) return await this.#retire(link, context);
    const spec = readSpec(link);
    if ("reason" in spec) return await this.#refuse(link, spec, context);
    const { links, ownCluster } = this.#options;
    const problem =
      ownClusterProblem(link, spec, ownCluster) ?? rivalryOf(link, links.store.list());
    if (problem !== undefined) return await this.#refuse(link, problem, context);
    await addFinalizer(this.#options.client, link, context.signal);
    return await this.#assess(link, spec, context);
  }

  async #assess(link: Link, spec: LinkSpec, context: ReconcileContext): Promise<Result> {
    const { clock, secrets, metrics } = this.#options;
    const { name } = link.metadata;
    const watcher = this.#watchers.begin(link, spec);
    const secret = secrets.store.get(`${INSTALL_NAMESPACE}/${spec.credentialsSecretRef.name}`);
    const own = readOwnLeaf(secrets.store.get(`${INSTALL_NAMESPACE}/${GATEWAY_TLS_SECRET_NAME}`));
    const { inputs, target } = watcher.observe(spec, secret, own);
    const verdicts = assessHealth(inputs);
    const { lastHeardMs } = inputs.api;
    if (lastHeardMs !== undefined) metrics.apiLastHeard.set({ link: name }, lastHeardMs / 1000);
    const { bundleUntilMs } = inputs.trust;
    if (bundleUntilMs === undefined) metrics.trustExpiry.remove({ link: name });
    else metrics.trustExpiry.set({ link: name }, bundleUntilMs / 1000);

    const view = this.#book.record(link, spec, verdicts, watcher.session?.view);
    if (!inputs.leading) {
      // Nothing may be written, and the process is about to begin anew.
      for (const verdict of verdicts) showCondition(metrics, name, verdict);
      return {};
    }
    watcher.noteOpen(isOpen(verdicts), inputs.nowMs);
    const waitMs = await this.#publish(link, view.changed, context, {
      verdicts,
      target,
      tally: watcher.session?.synced === true ? this.#mirrors?.tally(name) : undefined,
      lastHeardMs,
      nowMs: inputs.nowMs,
    });
    const deadlineMs = nextDeadlineMs({ ...inputs, openings: watcher.openings });
    const delays = [waitMs, deadlineMs && Math.max(1, deadlineMs - clock.nowMs())];
    const known = delays.filter((delay) => delay !== undefined);
    return known.length === 0 ? {} : { requeueAfterMs: Math.min(...known) };
  }

  /**
   * Writes the status, then lets the mirrors follow: this one write opens and
   * closes the link on the wire, as the egress gateways act on it, and must not
   * stand in line behind those of hundreds of mirrors. Nor do the mirrors wait
   * for an API server that is slow or refuses it.
   */
  async #publish(
    link: Link,
    mirrorsFollow: boolean,
    context: ReconcileContext,
    inputs: Omit<StatusInputs, "observedGeneration">,
  ): Promise<number | undefined> {
    const observedGeneration = link.metadata.generation ?? 0;
    const writing = this.#status.write(link, { ...inputs, observedGeneration }, context);
    if (mirrorsFollow) {
      const written = new AbortController();
      const late = this.#options.clock.sleep(STATUS_FIRST_MS, written.signal).catch(() => {});
      await Promise.race([writing.catch(() => {}), late]);
      written.abort();
      this.#mirrors?.enqueueLink(link.metadata.name);
    }
    return await writing;
  }

  /** A Link that is not acted on: its mirrors close, and stay as they are. */
  async #refuse(link: Link, problem: Problem, context: ReconcileContext): Promise<Result> {
    const { name } = link.metadata;
    this.#watchers.end(name);
    const verdicts = refuseLink(problem);
    const view = this.#book.record(link, undefined, verdicts, undefined);
    const waitMs = await this.#publish(link, view.changed, context, {
      verdicts,
      target: undefined,
      tally: undefined,
      lastHeardMs: undefined,
      nowMs: this.#options.clock.nowMs(),
    });
    return waitMs === undefined ? {} : { requeueAfterMs: waitMs };
  }

  /** Mirrors first, then the finalizer; the provider is not needed for either. */
  async #retire(link: Link, { logger, signal }: ReconcileContext): Promise<Result> {
    const { name, finalizers = [] } = link.metadata;
    this.#watchers.end(name);
    const problem: Problem = {
      reason: REASONS.LinkDeleting,
      message: "The Link is being deleted; its mirrors go first.",
    };
    const view = this.#book.record(link, undefined, refuseLink(problem), undefined);
    this.#mirrors?.enqueueLink(name);
    if (!finalizers.includes(LINK_FINALIZER)) return {};
    // The first look only closes: a mirror on its way to the API server is in no cache yet.
    if (view.changed || this.#mirrors?.hasObjects(name) !== false) {
      return { requeueAfterMs: RETIRE_RETRY_MS };
    }
    await dropFinalizer(this.#options.client, link, signal);
    logger.info({ link: name }, "all mirrors are gone, the Link may go");
    return {};
  }

  #forget(name: string): void {
    this.#watchers.end(name);
    if (!this.#book.forget(name)) return;
    this.#status.forget(name);
    forgetLink(this.#options.metrics, name);
    this.#mirrors?.enqueueLink(name);
  }

  #onSecret(key: string): void {
    if (nameOf(key) === GATEWAY_TLS_SECRET_NAME) {
      this.#enqueueAll();
      return;
    }
    for (const link of this.#options.links.store.list()) {
      if (credentialsSecretKeyOf(link) === key) this.#enqueue(link.metadata.name);
    }
  }

  #enqueueAll(): void {
    for (const { metadata } of this.#options.links.store.list()) this.#enqueue(metadata.name);
  }

  #enqueue(name: string): void {
    this.#controller.enqueue({ group: name, key: name });
  }
}

function linkKey(name: string): string {
  return `${INSTALL_NAMESPACE}/${name}`;
}

function nameOf(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}
