import type { Clock, Random } from "../../api/clock.ts";
import type { Link } from "../../api/link.ts";
import type { Secret } from "../../api/objects.ts";
import type { Startable } from "../../api/startable.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Logger } from "../../kube/logger.ts";
import type { KubeMetrics } from "../../kube/metrics.ts";
import { createController, type Reconcile } from "../../kube/reconciler/reconciler.ts";
import type { Reflector } from "../../kube/reflector/reflector.ts";
import type { LinkWatcher } from "./link-watcher.ts";

/** What the loops beside the link manager work with. */
export interface LinkLoopOptions {
  client: KubeClient;
  links: Reflector<Link>;
  secrets: Reflector<Secret>;
  /** What runs for a link. */
  watcher: (linkName: string) => LinkWatcher | undefined;
  /** Lets a client of the provider write only while this replica leads. */
  fence: (client: KubeClient) => KubeClient;
  events: EventRecorder;
  clock: Clock;
  random: Random;
  logger: Logger;
  kubeMetrics: KubeMetrics;
}

/** The one thing a loop does, and the Secrets whose changes it has to look at. */
export interface LinkLoop {
  name: string;
  reconcile: Reconcile;
  /** Whether a change of the Secret of this key concerns the link. */
  concerns: (secretKey: string, link: Link) => boolean;
}

/** Reconciles each Link by its name: at the start, when it changes, and when a Secret does that concerns it. */
export function createLinkLoop(options: LinkLoopOptions, loop: LinkLoop): Startable {
  const { links, secrets, clock, random, logger, kubeMetrics } = options;
  const { name, reconcile, concerns } = loop;
  const metrics = kubeMetrics;
  const controller = createController({
    name,
    reconcile,
    concurrency: 2,
    clock,
    random,
    logger,
    metrics,
  });
  const enqueue = ({ metadata }: Link): void =>
    controller.enqueue({ group: metadata.name, key: metadata.name });
  const subscriptions: (() => void)[] = [];
  return {
    start: async (signal) => {
      subscriptions.push(
        links.onEvent((event) => event.type === "apply" && enqueue(event.object)),
        secrets.onEvent(({ key }) => {
          for (const link of links.store.list()) if (concerns(key, link)) enqueue(link);
        }),
      );
      links.store.list().forEach(enqueue);
      await controller.start(signal);
    },
    stop: async () => {
      for (const unsubscribe of subscriptions.splice(0)) unsubscribe();
      await controller.stop();
    },
  };
}
