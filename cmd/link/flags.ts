import { type Command, InvalidArgumentError, Option } from "commander";
import { isDnsLabel } from "../../api/names-schema.ts";
import { parseDurationMs } from "./duration.ts";

/** `--context` and `--kubeconfig`, as kubectl has them. */
export function addClusterFlags(command: Command, contextWords: string): Command {
  return command
    .option("--context <name>", contextWords)
    .option("--kubeconfig <file>", "kubeconfig to read; default: KUBECONFIG, then ~/.kube/config");
}

/** `-n`, as kubectl has it; where a command leaves it out it takes `ClusterAccess.namespace`. */
export function addNamespaceFlag(command: Command, words: string): Command {
  return command.option("-n, --namespace <namespace>", words);
}

export function timeoutFlag(defaultText: string): Option {
  return new Option("--timeout <duration>", "how long to wait, such as 90s or 2m")
    .default(parseDurationMs(defaultText), defaultText)
    .argParser(parseDurationMs);
}

/** Argument parser for cluster names. */
export function parseClusterName(text: string): string {
  if (isDnsLabel(text)) return text;
  throw new InvalidArgumentError(
    "Use at most 63 of a-z, 0-9 and '-', with a letter or digit at both ends.",
  );
}

/** Argument parser for Services: `svc/web`, `service/web` or `web`, as kubectl takes it. */
export function parseService(text: string): string {
  const name = text.replace(/^(svc|services?)\//, "");
  if (isDnsLabel(name)) return name;
  throw new InvalidArgumentError("Name a Service as svc/NAME.");
}

/** Argument parser for counts. */
export function parseCount(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Use a number from 1 to 999.");
}

/** Argument parser for TCP ports. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("Use a port number from 1 to 65535.");
}

/** Argument parser for lists with commas; an empty list is refused. */
export function parseItems(text: string): string[] {
  const items = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  if (items.length > 0) return items;
  throw new InvalidArgumentError("Use a list separated by commas.");
}
