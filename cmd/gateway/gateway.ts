import { Registry, collectDefaultMetrics } from "prom-client";
import { systemClock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import { Gateway } from "../../gateway/gateway.ts";
import { type KubeClient, createKubeClient } from "../../kube/client/client.ts";
import { loadInCluster, loadKubeconfig } from "../../kube/kubeconfig/kubeconfig.ts";
import { createLogger } from "../../kube/logger.ts";
import { type Settings, readSettings } from "./settings.ts";

/** Exit codes: 0 drained, 1 failed, 2 called wrongly. */
async function main(): Promise<number> {
  let settings: Settings;
  let client: KubeClient;
  try {
    settings = readSettings(process.argv.slice(2), process.env);
    client = clientOf(settings);
  } catch (error) {
    process.stderr.write(`gateway: ${errorMessage(error)}\n`);
    return 2;
  }
  const { host, apiServer, logLevel, podName } = settings;
  const logger = createLogger({ name: "gateway", level: logLevel }).child({ pod: podName });
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gateway = new Gateway({
    clusterName: settings.clusterName,
    namespace: settings.namespace,
    ports: settings.ports,
    sessionsPerAddress: settings.sessionsPerAddress,
    drainDelayMs: settings.drainDelayMs,
    drainDeadlineMs: settings.drainDeadlineMs,
    ...(host !== undefined && { host }),
    ...(apiServer !== undefined && { apiServer }),
    client,
    clock: systemClock,
    random: Math.random,
    logger,
    registry,
  });

  const stopping = new AbortController();
  const drained = new Promise<void>((resolve, reject) => {
    const onSignal = (signal: NodeJS.Signals) => {
      logger.info({ signal }, "signal");
      gateway.drain().then(resolve, reject);
    };
    process.once("SIGTERM", onSignal);
    process.once("SIGINT", onSignal);
  });
  try {
    // A signal before it has started leaves nothing to drain.
    await Promise.race([gateway.start(stopping.signal), drained]);
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

/** Of the pod's service account, or of a kubeconfig when one is given. */
function clientOf({ kubeconfig, context }: Settings): KubeClient {
  const config =
    kubeconfig === undefined
      ? loadInCluster()
      : loadKubeconfig({ path: kubeconfig, ...(context !== undefined && { context }) });
  return createKubeClient(config, { userAgent: "isthmus-gateway" });
}

process.exitCode = await main();
