import { type Command, Option } from "commander";
import { parseCount, parseItems } from "../flags.ts";
import { COMPONENT_NAMES } from "./manifests.ts";

/** What `link install` and `link upgrade` take alike. */
export interface InstallationFlags {
  image?: string;
  replicas?: number;
  components?: string[];
  namespaces?: string[];
  dryRun: boolean;
  output?: "yaml";
  wait: boolean;
}

/** Adds them; the words say where a default comes from. */
export function addInstallationFlags(command: Command, defaultWords: string): Command {
  return command
    .option("--image <reference>", `image of controller and gateways; default: ${defaultWords}`)
    .option(
      "--replicas <n>",
      `replicas of controller and of gateways; default: ${defaultWords}`,
      parseCount,
    )
    .option(
      "--components <list>",
      `components to add, of ${COMPONENT_NAMES.join(", ")}, or none; default: ${defaultWords}`,
      parseComponents,
    )
    .option(
      "--namespaces <list>",
      "the only namespaces to work in, with rights in these alone",
      parseItems,
    )
    .option("--dry-run", "only say what would change", false)
    .addOption(
      new Option(
        "-o, --output <format>",
        "print exactly what would be applied, and apply nothing",
      ).choices(["yaml"]),
    )
    .option("--no-wait", "do not wait until everything runs");
}

/** Names of components; `none` for an installation without any. */
function parseComponents(text: string): string[] {
  return text.trim() === "none" ? [] : parseItems(text);
}
