import { Command } from "commander";
import { systemClock } from "../../api/clock.ts";
import { checkCommand } from "./check/check-command.ts";
import { EXIT_CODES } from "./cli-error.ts";
import { completionCommand } from "./completion/completion-command.ts";
import { diagnoseCommand } from "./diagnose/diagnose-command.ts";
import { exportCommand, unexportCommand } from "./export/export-command.ts";
import { failoverCommand } from "./failover/failover-command.ts";
import { gatewaysCommand } from "./gateways/gateways-command.ts";
import { installCommand } from "./install/install-command.ts";
import { joinCommand } from "./join/join-command.ts";
import { silentReporter } from "./reporter.ts";
import { rotateCommand } from "./rotate/rotate-command.ts";
import type { Runtime } from "./runtime.ts";
import { servicesCommand } from "./services/services-command.ts";
import { statusCommand } from "./status/status-command.ts";
import { tokenCommand } from "./token/token-command.ts";
import { uninstallCommand } from "./uninstall/uninstall-command.ts";
import { unjoinCommand } from "./unjoin/unjoin-command.ts";
import { upgradeCommand } from "./upgrade/upgrade-command.ts";
import { versionCommand } from "./version/version-command.ts";

/** What the exit codes mean, for help and docs. */
export const EXIT_CODE_WORDS: readonly (readonly [number, string])[] = [
  [EXIT_CODES.ok, "done"],
  [EXIT_CODES.failed, "failed, or a check failed; the message names the object and the fix"],
  [EXIT_CODES.usage, "the command line is wrong"],
  [EXIT_CODES.notReady, "not ready within the timeout"],
  [EXIT_CODES.interrupted, "interrupted with Ctrl-C"],
];

/** What every command takes. */
export const FRAME_FLAGS: readonly (readonly [flags: string, words: string])[] = [
  ["--no-color", "print without colour, as with NO_COLOR set"],
  ["--debug", "show the stack trace of an error"],
];

/**
 * The whole command line as one tree of commands.
 * @param name by which it was called: `link`, or `kubectl link` as a plugin of kubectl
 */
export function createProgram(runtime: Runtime, name = "link"): Command {
  const program: Command = new Command(name)
    .description("Links Kubernetes clusters: Services of one become ordinary Services of another.")
    .helpCommand(false)
    .showHelpAfterError("(give --help for what there is)")
    .addHelpText("afterAll", ({ command }) =>
      command === program ? `\n${exitCodes()}` : `\nExit codes: ${name} --help`,
    );
  for (const command of commandsOf(runtime)) program.addCommand(command);
  inherit(program);
  return program;
}

/** A command and all below it, itself first. */
export function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** In the order of a first day. */
function commandsOf(runtime: Runtime): Command[] {
  return [
    installCommand(runtime),
    joinCommand(runtime),
    tokenCommand(runtime),
    exportCommand(runtime),
    unexportCommand(runtime),
    statusCommand(runtime),
    servicesCommand(runtime),
    gatewaysCommand(runtime),
    checkCommand(runtime),
    diagnoseCommand(runtime),
    failoverCommand(runtime),
    rotateCommand(runtime),
    unjoinCommand(runtime),
    upgradeCommand(runtime),
    uninstallCommand(runtime),
    completionCommand(runtime),
    versionCommand(runtime),
  ];
}

/** Gives the settings of a command to those below it, and the options that each has to those that do something. */
function inherit(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    if (command.commands.length === 0) {
      for (const [flags, words] of FRAME_FLAGS) command.option(flags, words);
    } else command.helpCommand(false);
    inherit(command);
  }
}

function exitCodes(): string {
  const codes = EXIT_CODE_WORDS.map(([code, words]) => `  ${String(code).padEnd(4)} ${words}`);
  return `Exit codes:\n${codes.join("\n")}`;
}

/** The tree of commands for who reads it and runs none: it says nothing. */
export function readProgram(): Command {
  return createProgram({
    reporter: silentReporter,
    clock: systemClock,
    signal: new AbortController().signal,
    write: () => {},
    useColor: false,
  });
}
