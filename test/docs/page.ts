import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ConsoleCommand, type PageSection, readSections } from "./console-blocks.ts";
import { Shell, type ShellResult } from "./shell.ts";
import { missingLine } from "./shown-output.ts";

/** The folder of the project, in which the commands of its pages are run. */
export const PROJECT_FOLDER = join(import.meta.dirname, "..", "..");
/** The longest any command of a page waits by itself, and then some. */
const COMMAND_TIMEOUT_MS = 180_000;

/** A command that was run, with what it printed. */
export interface RanCommand extends ShellResult {
  readonly section: string;
  readonly command: ConsoleCommand;
}

export interface PageOptions {
  /** Path from the project's folder, such as `docs/quickstart.md`. */
  readonly path: string;
  /** Variables of the shell besides those of this process. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Told before each command. */
  readonly onCommand?: (command: ConsoleCommand) => void;
}

/** A page of docs/ whose command blocks are run as they stand, in one shell in the project's folder. */
export class Page {
  readonly sections: readonly PageSection[];
  /** What was run so far. */
  readonly ran: RanCommand[] = [];
  readonly #options: PageOptions;
  readonly #shell: Shell;

  constructor(options: PageOptions) {
    this.#options = options;
    this.sections = readSections(readFileSync(join(PROJECT_FOLDER, options.path), "utf8"));
    const environment = { ...process.env, ...options.environment };
    this.#shell = new Shell({ folder: PROJECT_FOLDER, environment });
  }

  /**
   * Runs the commands of a section.
   * @throws Error naming the line of the page when one ends otherwise than the page says, or does not print what the
   * page shows of it; also when there is no such section.
   */
  async run(title: string): Promise<RanCommand[]> {
    const section = this.sections.find((each) => each.title === title);
    if (section === undefined) throw new Error(`${this.#options.path} has no section “${title}”`);
    const from = this.ran.length;
    for (const command of section.commands) {
      this.#options.onCommand?.(command);
      const result = await this.#shell.run(command.text, COMMAND_TIMEOUT_MS);
      this.ran.push({ section: title, command, ...result });
      this.#check(command, result);
    }
    return this.ran.slice(from);
  }

  /** The value of a variable of the page's shell; empty when it has none. */
  async variable(name: string): Promise<string> {
    const { output } = await this.#shell.run(`printf %s "$${name}"`, COMMAND_TIMEOUT_MS);
    return output;
  }

  end(): void {
    this.#shell.end();
  }

  #check({ text, line, shown, exitCode }: ConsoleCommand, result: ShellResult): void {
    const command = `${this.#options.path}:${line}: ${text}`;
    const printed = `it printed:\n${result.output}`;
    if (result.exitCode !== exitCode)
      throw new Error(`${command} ended with ${result.exitCode}, not ${exitCode}; ${printed}`);
    const missing = missingLine(shown, result.output);
    if (missing === undefined) return;
    throw new Error(
      `${command} did not print what line ${missing.line} shows, “${missing.text.trim()}”; ${printed}`,
    );
  }
}
