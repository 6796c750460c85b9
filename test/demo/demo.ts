import { isatty } from "node:tty";
import { parseArgs } from "node:util";
import { errorMessage } from "../../api/errors.ts";
import { kindProvider } from "../bed/kind.ts";
import { localProvider } from "../bed/local.ts";
import { untilInterrupted } from "../system/interrupt.ts";
import type { System } from "../system/system.ts";
import { showFailover } from "./failover-job.ts";
import { createPrinter, formatDuration } from "./printer.ts";
import { showMainJob } from "./main-job.ts";
import { recordSession } from "./session-job.ts";
import type { JobOptions } from "./two-clusters.ts";

const USAGE = `npm run demo [-- --keep] [--provider local|kind]
npm run demo -- failover [--svg FILE] [--keep] [--provider local|kind]
npm run demo -- session
  failover    the pods of a Service go and return under load, most of it without a controller
  session     runs docs/quickstart.md on a fresh bed and writes all it prints to docs/session.md
  --svg       failover: write the chart of the answers to FILE, when all went well
  --keep      leave the clusters up and print what to try
  --provider  local (default): processes on this machine; kind: Kubernetes in Docker`;

const PROVIDERS = { local: localProvider, kind: kindProvider };

interface Job {
  /** The first word of the verdict. */
  readonly name: string;
  /** @returns the figures in words. */
  run(options: JobOptions): Promise<string[]>;
  /** Commands to play with when the clusters stay up. */
  readonly toTry: readonly string[];
}

const MAIN_JOB: Job = {
  name: "demo",
  run: showMainJob,
  toTry: [
    "npm run -s link -- status --context east",
    "kubectl --context east -n shop get services,endpointslices",
    "kubectl --context east -n shop logs -f caller",
    "npm run -s link -- unexport svc/web -n shop --context west",
  ],
};

const SESSION = "session";

/** Brings its clusters up and takes them down by itself, as the page says. */
const SESSION_JOB: Job = {
  name: SESSION,
  run: ({ printer, signal }) => recordSession(printer, signal),
  toTry: [],
};

function failoverJob(svgPath: string | undefined, colour: boolean): Job {
  return {
    name: "failover",
    run: (options) => showFailover({ ...options, svgPath, colour }),
    toTry: [
      "npm run -s link -- failover -n shop --context east",
      "kubectl --context east -n shop logs -f caller",
      "kubectl --context east -n shop scale deployment web --replicas 0",
      "kubectl --context east -n shop get endpointslices -l kubernetes.io/service-name=web -o yaml",
      "kubectl --context east -n shop get events",
    ],
  };
}

function jobNamed(name: string, svgPath: string | undefined, colour: boolean): Job {
  if (name === SESSION) return SESSION_JOB;
  return name === MAIN_JOB.name ? MAIN_JOB : failoverJob(svgPath, colour);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      keep: { type: "boolean", default: false },
      provider: { type: "string", default: "local" },
      svg: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { help, keep, provider, svg } = values;
  const name = positionals.length === 0 ? MAIN_JOB.name : positionals.join(" ");
  const isKnown =
    name === "failover" ||
    (name === MAIN_JOB.name && svg === undefined) ||
    (name === SESSION && svg === undefined && !keep && provider === "local");
  if (help || !isKnown || (provider !== "local" && provider !== "kind")) {
    process.stdout.write(`${USAGE}\n`);
    return help ? 0 : 2;
  }
  const terminal = isatty(process.stdout.fd);
  const colour = terminal && (process.env["NO_COLOR"] ?? "") === "";
  const job = jobNamed(name, svg, colour);
  const printer = createPrinter({ terminal, colour });
  const { signal } = untilInterrupted();
  const beganMs = performance.now();
  let system: System | undefined;
  let keepLogs = false;
  try {
    const figures = await job.run({
      printer,
      signal,
      provider: PROVIDERS[provider],
      detached: keep,
      onUp: (up) => {
        system = up;
      },
    });
    if (keep && system !== undefined) {
      await system.release();
      tellWhatToTry(system, job.toTry);
    } else await system?.down();
    const total = formatDuration(performance.now() - beganMs);
    printer.success(`${job.name} ok`, `in ${total}: ${figures.join(", ")}`);
    return 0;
  } catch (error) {
    keepLogs = !signal.aborted;
    printer.failure(`${job.name} failed: ${errorMessage(error)}`);
    const logs = await system?.down({ keepLogs });
    if (logs !== undefined) printer.failure(`logs of every component: ${logs}`);
    return signal.aborted ? 130 : 1;
  }
}

function tellWhatToTry({ bed }: System, commands: readonly string[]): void {
  process.stdout.write(`
Both clusters stay up. Try:
  export KUBECONFIG=${bed.kubeconfigPath}
${commands.map((command) => `  ${command}`).join("\n")}
and at the end:
  npm run bed -- down ${bed.id}
`);
}

process.exitCode = await main();
