import { Command } from "commander";
import { EXIT_CODES } from "./cli-error.ts";
import { exportCommand, unexportCommand } from "./export/export-command.ts";
import { failoverCommand } from "./failover/failover-command.ts";
import { installCommand } from "./install/install-command.ts";
import { joinCommand } from "./join/join-command.ts";
import { rotateCommand } from "./rotate/rotate-command.ts";
import type { Runtime } from "./runtime.ts";
import { statusCommand } from "./status/status-command.ts";
import { unjoinCommand } from "./unjoin/unjoin-command.ts";
import { versionCommand } from "./version/version-command.ts";

/** What the exit codes mean, for help and docs. */
export const EXIT_CODE_WORDS: readonly (readonly [number, string])[] = [
  [EXIT_CODES.ok, "done"],
  [EXIT_CODES.failed, "failed; the message names the object and the fix"],
  [EXIT_CODES.usage, "the command line is wrong"],
  [EXIT_CODES.notReady, "not ready within the timeout"],
  [EXIT_CODES.interrupted, "interrupted with Ctrl-C"],
];

/**
 * The whole command line as one tree of commands.
 * @param name by which it was called: `link`, or `kubectl link` as a plugin of kubectl
 */
export function createProgram(runtime: Runtime, name = "link"): Command {
  const codes = EXIT_CODE_WORDS.map(([code, words]) => `  ${String(code).padEnd(4)} ${words}`);
  const program = new Command(name)
    .description("Links Kubernetes clusters: Services of one become ordinary Services of another.")
    .helpCommand(false)
    .showHelpAfterError("(give --help for what there is)")
    .addHelpText("after", `\nExit codes:\n${codes.join("\n")}`);
  const commands = [
    installCommand(runtime),
    joinCommand(runtime),
    exportCommand(runtime),
    unexportCommand(runtime),
    statusCommand(runtime),
    failoverCommand(runtime),
    rotateCommand(runtime),
    unjoinCommand(runtime),
    versionCommand(runtime),
  ];
  for (const command of commands) {
    command.option("--debug", "show the stack trace of an error", false);
    program.addCommand(command.copyInheritedSettings(program));
  }
  return program;
}
