import { isatty } from "node:tty";
import { parseArgs } from "node:util";
import { errorMessage } from "../../api/errors.ts";
import { kindProvider } from "../bed/kind.ts";
import { localProvider } from "../bed/local.ts";
import { untilInterrupted } from "../system/interrupt.ts";
import type { System } from "../system/system.ts";
import { createPrinter, formatDuration } from "./printer.ts";
import { showMainJob } from "./main-job.ts";

const USAGE = `npm run demo [-- --keep] [--provider local|kind]
  --keep      leave the clusters up and print what to try
  --provider  local (default): processes on this machine; kind: Kubernetes in Docker`;

const PROVIDERS = { local: localProvider, kind: kindProvider };

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      keep: { type: "boolean", default: false },
      provider: { type: "string", default: "local" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help || (values.provider !== "local" && values.provider !== "kind")) {
    process.stdout.write(`${USAGE}\n`);
    return values.help ? 0 : 2;
  }
  const printer = createPrinter(isatty(process.stdout.fd));
  const { signal } = untilInterrupted();
  const beganMs = performance.now();
  let system: System | undefined;
  let keepLogs = false;
  try {
    const figures = await showMainJob({
      printer,
      signal,
      provider: PROVIDERS[values.provider],
      detached: values.keep,
      onUp: (up) => {
        system = up;
      },
    });
    if (values.keep && system !== undefined) {
      await system.release();
      tellWhatToTry(system);
    } else await system?.down();
    const total = formatDuration(performance.now() - beganMs);
    printer.success("demo ok", `in ${total}: ${figures.join(", ")}`);
    return 0;
  } catch (error) {
    keepLogs = !signal.aborted;
    printer.failure(`demo failed: ${errorMessage(error)}`);
    const logs = await system?.down({ keepLogs });
    if (logs !== undefined) printer.failure(`logs of every component: ${logs}`);
    return signal.aborted ? 130 : 1;
  }
}

function tellWhatToTry({ bed }: System): void {
  process.stdout.write(`
Both clusters stay up. Try:
  export KUBECONFIG=${bed.kubeconfigPath}
  npm run -s link -- status --context east
  kubectl --context east -n shop get services,endpointslices
  kubectl --context east -n shop logs -f caller
  npm run -s link -- unexport svc/web -n shop --context west
and at the end:
  npm run bed -- down ${bed.id}
`);
}

process.exitCode = await main();
