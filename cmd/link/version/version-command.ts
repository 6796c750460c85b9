import { Command } from "commander";
import packageJson from "../../../package.json" with { type: "json" };
import type { Runtime } from "../runtime.ts";

/** `link version`. */
export function versionCommand(runtime: Runtime): Command {
  return new Command("version")
    .summary("print the version of this program")
    .description("Prints the version of this program.")
    .action(() => runtime.write(`${packageJson.version}\n`));
}
