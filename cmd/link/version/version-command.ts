import { Command } from "commander";
import packageJson from "../../../package.json" with { type: "json" };
import { addExamples } from "../examples.ts";
import type { Runtime } from "../runtime.ts";

/** `link version`. */
export function versionCommand(runtime: Runtime): Command {
  const command = new Command("version")
    .summary("print the version of this program")
    .description("Prints the version of this program.")
    .action(() => runtime.write(`${packageJson.version}\n`));
  return addExamples(command, [["link version", "Which release this is"]]);
}
