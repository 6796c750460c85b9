import { networkInterfaces } from "node:os";
import { terminated } from "./termination.ts";
import { Registry, collectDefaultMetrics } from "prom-client";
import { systemClock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import { Gateway } from "../../gateway/gateway.ts";
import { fitOpenFiles } from "../../gateway/limits/limits.ts";
import { type KubeClient, createKubeClient } from "../../kube/client/client.ts";
import { loadInCluster, loadKubeconfig } from "../../kube/kubeconfig/kubeconfig.ts";
import { createLogger } from "../../kube/logger.ts";
import { type KubeMetrics, declareKubeMetrics } from "../../kube/metrics.ts";
import { maxOpenFiles } from "./open-files.ts";
import { type Settings, readSettings } from "./settings.ts";

/** Exit codes: 0 drained, 1 failed, 2 called wrongly. */
async function main(): Promise<number> {
  let settings: Settings;
  let client: KubeClient;
  const registry = new Registry();
  const kubeMetrics = declareKubeMetrics(registry);
  try {
    settings = readSettings(process.argv.slice(2), process.env);
    client = clientOf(settings, kubeMetrics);
  } catch (error) {
    process.stderr.write(`gateway: ${errorMessage(error)}\n`);
    return 2;
  }
  const { host, apiServer, logLevel, podName } = settings;
  const logger = createLogger({ name: "gateway", level: logLevel }).child({ pod: podName });
  collectDefaultMetrics({ register: registry });
  const limits = fitOpenFiles(settings.limits, maxOpenFiles());
  if (limits.maxConnections < settings.limits.maxConnections) {
    const { maxConnections } = limits;
    logger.warn(
      { maxConnections },
      "fewer connections than allowed: the limit of open files is low",
    );
  }
  const gateway = new Gateway({
    clusterName: settings.clusterName,
    namespace: settings.namespace,
    namespaces: settings.namespaces,
    ports: settings.ports,
    sessionsPerAddress: settings.sessionsPerAddress,
    drainDelayMs: settings.drainDelayMs,
    drainDeadlineMs: settings.drainDeadlineMs,
    ...(host !== undefined && { host }),
    unexportGraceMs: settings.unexportGraceMs,
    limits,
    neverReached: [...(apiServer === undefined ? [] : [apiServer]), ...ownAddresses()],
    publishedAddresses: ownAddresses(),
    sessionMaxAgeMs: settings.sessionMaxAgeMs,
    names: { intervalMs: settings.resolveIntervalMs },
    // There with --expose-gc, as the image runs it.
    collectYoung: globalThis.gc && (() => globalThis.gc?.({ type: "minor" })),
    client,
    clock: systemClock,
    random: Math.random,
    logger,
    registry,
    kubeMetrics,
  });

  const stopping = new AbortController();
  let isEnding = false;
  const drainWhenTold = async () => {
    const signal = await terminated;
    isEnding = true;
    logger.info({ signal }, "signal");
    await gateway.drain();
  };
  const drained = drainWhenTold();
  try {
    const started = gateway.start(stopping.signal).catch((error: unknown) => {
      // What is told to end before it has started does not start.
      if (!isEnding) throw error;
    });
    await Promise.race([started, drained]);
    await drained;
    return 0;
  } catch (error) {
    logger.fatal({ err: error }, "gateway failed");
    return 1;
  } finally {
    stopping.abort();
    await gateway.stop();
    await client.close();
  }
}

/** Of all interfaces of the pod. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address }) => address),
  );
}

/** Of the pod's service account, or of a kubeconfig when one is given. */
function clientOf({ kubeconfig, context }: Settings, metrics: KubeMetrics): KubeClient {
  const config =
    kubeconfig === undefined
      ? loadInCluster()
      : loadKubeconfig({ path: kubeconfig, ...(context !== undefined && { context }) });
  return createKubeClient(config, { userAgent: "isthmus-gateway", metrics });
}

process.exitCode = await main();
