import type { KubeConfig } from "@kubernetes/client-node";
import { collectDefaultMetrics, Registry } from "prom-client";
import { systemClock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import { IsthmusController } from "../../controller/controller.ts";
import { createKubeClient, type KubeClient } from "../../kube/client/client.ts";
import { loadInCluster, loadKubeconfig } from "../../kube/kubeconfig/kubeconfig.ts";
import { createLogger } from "../../kube/logger.ts";
import { declareKubeMetrics } from "../../kube/metrics.ts";
import { readSettings, type Settings } from "./settings.ts";

/** Exit codes: 0 stopped by a signal, 1 failed or lost the lease, 2 called wrongly. */
async function main(): Promise<number> {
  let settings: Settings;
  let client: KubeClient;
  let leaseClient: KubeClient;
  const registry = new Registry();
  const kubeMetrics = declareKubeMetrics(registry);
  try {
    settings = readSettings(process.argv.slice(2), process.env);
    const config = kubeconfigOf(settings);
    const userAgent = "isthmus-controller";
    const counted = { userAgent, metrics: kubeMetrics };
    client = createKubeClient(config, counted);
    leaseClient = createKubeClient(config, { ...counted, connections: 1 });
  } catch (error) {
    process.stderr.write(`controller: ${errorMessage(error)}\n`);
    return 2;
  }
  const { logLevel, podName } = settings;
  const logger = createLogger({ name: "controller", level: logLevel }).child({ pod: podName });
  collectDefaultMetrics({ register: registry });
  const ended = Promise.withResolvers<number>();
  const controller = new IsthmusController({
    client,
    leaseClient,
    clusterName: settings.clusterName,
    namespaces: settings.namespaces,
    retiredNamespaces: settings.retiredNamespaces,
    foreignCertificates: settings.foreignCertificates,
    replica: podName,
    health: settings.health,
    lease: settings.lease,
    caOverlapMs: settings.caOverlapMs,
    clock: systemClock,
    random: Math.random,
    logger,
    registry,
    kubeMetrics,
    onLeadershipLost: () => {
      logger.fatal("the lease was lost: ending, to begin anew");
      ended.resolve(1);
    },
  });

  const stopping = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    logger.info({ signal }, "signal");
    ended.resolve(0);
  };
  process.once("SIGTERM", onSignal);
  process.once("SIGINT", onSignal);
  try {
    await Promise.race([controller.start(stopping.signal), ended.promise]);
    return await ended.promise;
  } catch (error) {
    logger.fatal({ err: error }, "controller failed");
    return 1;
  } finally {
    stopping.abort();
    await controller.stop();
    await Promise.all([client.close(), leaseClient.close()]);
  }
}

function kubeconfigOf({ kubeconfig, context }: Settings): KubeConfig {
  if (kubeconfig === undefined) return loadInCluster();
  return loadKubeconfig({ path: kubeconfig, ...(context !== undefined && { context }) });
}

process.exitCode = await main();
