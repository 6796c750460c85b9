import { Argument, Command, Option } from "commander";
import { openCluster } from "../cluster-access.ts";
import { addExamples } from "../examples.ts";
import { addClusterFlags, timeoutFlag } from "../flags.ts";
import type { Runtime } from "../runtime.ts";
import { abortRotation, rotateAuthority, type RotationGoal } from "./rotate.ts";

interface Flags {
  context?: string;
  kubeconfig?: string;
  until: RotationGoal;
  abort: boolean;
  timeout: number;
}

/** `link rotate`. */
export function rotateCommand(runtime: Runtime): Command {
  const command = new Command("rotate")
    .summary("replace this cluster's CA by a new one, without a gap")
    .description(
      "Replaces the CA of a cluster by a new one: linked clusters trust both before the new one signs, and the old one is dropped last (docs/rotation.md). Waits until the new CA is announced; the rest goes on by itself. Given while a rotation is under way, it waits for that one.",
    )
    .addArgument(new Argument("<what>", "what to replace").choices(["ca"]));
  addExamples(command, [
    ["link rotate ca --context west", "Make a new CA, and wait until it is announced"],
    [
      "link rotate ca --context west --until finished --timeout 150m",
      "Wait until the new CA signs and the one before is dropped",
    ],
    ["link rotate ca --context west --abort", "Take the rotation back, before the new CA signs"],
  ]);
  return addClusterFlags(command, "context of the cluster; default: the current one")
    .addOption(
      new Option("--until <phase>", "what to wait for")
        .choices(["announced", "finished"])
        .default("announced"),
    )
    .option("--abort", "take a rotation back, as long as the new CA does not sign", false)
    .addOption(timeoutFlag("60s"))
    .action(async (_what: string, flags: Flags) => {
      const access = openCluster(flags);
      try {
        const options = { access, timeoutMs: flags.timeout, ...runtime };
        if (flags.abort) await abortRotation(options);
        else await rotateAuthority({ ...options, until: flags.until });
      } finally {
        await access.client.close();
      }
    });
}
