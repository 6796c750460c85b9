import { collectDefaultMetrics, Registry } from "prom-client";
import { systemClock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import { IsthmusController } from "../../controller/controller.ts";
import { createKubeClient } from "../../kube/client.ts";
import { loadInCluster, loadKubeconfig } from "../../kube/kubeconfig.ts";
import { createLogger } from "../../kube/logger.ts";
import { readSettings, type Settings } from "./settings.ts";

/** Exit codes: 0 stopped by a signal, 1 failed or lost the lease, 2 called wrongly. */
async function main(): Promise<number> {
  let settings: Settings;
  try {
    settings = readSettings(process.argv.slice(2), process.env);
  } catch (error) {
    process.stderr.write(`controller: ${errorMessage(error)}\n`);
    return 2;
  }
  const { kubeconfig, context, logLevel, podName } = settings;
  const logger = createLogger({ name: "controller", level: logLevel }).child({ pod: podName });
  const client = createKubeClient(
    kubeconfig === undefined
      ? loadInCluster()
      : loadKubeconfig({ path: kubeconfig, ...(context !== undefined && { context }) }),
    { userAgent: "isthmus-controller" },
  );
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const ended = Promise.withResolvers<number>();
  const controller = new IsthmusController({
    client,
    clusterName: settings.clusterName,
    replica: podName,
    health: settings.health,
    lease: settings.lease,
    clock: systemClock,
    random: Math.random,
    logger,
    registry,
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
    await client.close();
  }
}

process.exitCode = await main();
