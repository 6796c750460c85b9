/** A command of a page, and what the page shows of its output. */
export interface ConsoleCommand {
  /** As it stands, in one or more lines. */
  readonly text: string;
  /** Line of the page, from 1. */
  readonly line: number;
  readonly shown: readonly ShownLine[];
  /** How the page says that it ends; 0 unless the block says `exit=N`. */
  readonly exitCode: number;
}

/** A line of output on a page. */
export interface ShownLine {
  readonly text: string;
  /** Line of the page, from 1. */
  readonly line: number;
}

/** The commands below one heading. */
export interface PageSection {
  readonly title: string;
  readonly commands: readonly ConsoleCommand[];
}

const FENCE = /^```(?<language>\w*)(?<words>.*)$/;
const HEADING = /^#{1,6} (?<title>.+)$/;
const PROMPT = "$ ";

interface Block {
  readonly lines: readonly ShownLine[];
  readonly exitCode: number;
}

/**
 * The `console` blocks of a Markdown page by the headings above them. A line that begins with `$ ` is a command, which
 * goes on in the next line after a backslash; other lines are its output. In a block whose fence says `exit=1` the last
 * command ends so.
 * @throws Error naming the line where a block begins with output.
 */
export function readSections(markdown: string): PageSection[] {
  const sections: { title: string; commands: ConsoleCommand[] }[] = [];
  let fence: { isConsole: boolean; exitCode: number; lines: ShownLine[] } | undefined;
  for (const [index, text] of markdown.split("\n").entries()) {
    const line = index + 1;
    const opening = FENCE.exec(text);
    if (fence !== undefined && text.trim() === "```") {
      if (fence.isConsole) sections.at(-1)?.commands.push(...commandsOf(fence));
      fence = undefined;
    } else if (fence !== undefined) {
      fence.lines.push({ text, line });
    } else if (opening !== null) {
      const { language, words = "" } = opening.groups ?? {};
      const exitCode = Number(/\bexit=(\d+)/.exec(words)?.[1] ?? 0);
      fence = { isConsole: language === "console", exitCode, lines: [] };
    } else {
      const title = HEADING.exec(text)?.groups?.["title"];
      if (title !== undefined) sections.push({ title, commands: [] });
    }
  }
  return sections.filter(({ commands }) => commands.length > 0);
}

function commandsOf({ lines, exitCode }: Block): ConsoleCommand[] {
  const commands: { text: string; line: number; shown: ShownLine[]; isOpen: boolean }[] = [];
  for (const { text, line } of lines) {
    const last = commands.at(-1);
    const isOpen = text.endsWith("\\");
    if (text.startsWith(PROMPT)) {
      commands.push({ text: text.slice(PROMPT.length), line, shown: [], isOpen });
    } else if (last === undefined) {
      throw new Error(`line ${line}: a console block begins with a command, not with “${text}”`);
    } else if (last.isOpen) {
      last.text += `\n${text}`;
      last.isOpen = isOpen;
    } else {
      last.shown.push({ text, line });
    }
  }
  return commands.map(({ text, line, shown }, index) => ({
    text,
    line,
    shown,
    exitCode: index === commands.length - 1 ? exitCode : 0,
  }));
}
