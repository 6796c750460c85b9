import { Argument, Command } from "commander";
import { addExamples } from "../examples.ts";
import type { Runtime } from "../runtime.ts";
import { COMPLETION_SCRIPTS, type Shell } from "./scripts.ts";

/** `link completion`. */
export function completionCommand(runtime: Runtime): Command {
  const shells = Object.keys(COMPLETION_SCRIPTS);
  const command = new Command("completion")
    .summary("print the script that completes link in a shell")
    .description(
      "Prints a script for the shell: then TAB completes commands, options, contexts of the kubeconfig, and names of Links, Services, namespaces and consumers, which are asked of the cluster. For kubectl it prints a program that completes `kubectl link`.",
    )
    .addArgument(new Argument("<shell>", "the shell, or kubectl").choices(shells))
    .action((shell: Shell) => runtime.write(COMPLETION_SCRIPTS[shell]));
  return addExamples(command, [
    ["source <(link completion bash)", "In ~/.bashrc"],
    ["source <(link completion zsh)", "In ~/.zshrc, after compinit"],
    ["link completion fish > ~/.config/fish/completions/link.fish", "Once, for fish"],
    [
      "link completion kubectl > ~/bin/kubectl_complete-link && chmod +x ~/bin/kubectl_complete-link",
      "Once, for kubectl link; ~/bin on the PATH",
    ],
  ]);
}
