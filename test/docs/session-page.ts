import type { RanCommand } from "./page.ts";

const HEADER = `# A session

All commands of the [quickstart](quickstart.md) with all they printed, recorded on a fresh bed by \`npm run demo -- session\`. Left
out are only lines of progress, which a terminal overwrites.
`;

/** How a terminal's passing lines begin where there is no terminal. */
const PROGRESS = "… ";

/**
 * The page with what commands printed.
 * @param replacements texts that are this machine's own, with what stands for each
 */
export function sessionPage(
  ran: readonly RanCommand[],
  replacements: ReadonlyMap<string, string>,
): string {
  const sections = Map.groupBy(ran, ({ section }) => section);
  const parts = [...sections].map(([title, commands]) => {
    const text = commands.map((command) => transcriptOf(command, replacements)).join("\n");
    return `\n## ${title}\n\n\`\`\`console\n${text}\n\`\`\`\n`;
  });
  return HEADER + parts.join("");
}

function transcriptOf(
  { command, output }: RanCommand,
  replacements: ReadonlyMap<string, string>,
): string {
  const lines = output
    .trimEnd()
    .split("\n")
    .filter((line) => !line.startsWith(PROGRESS))
    .map((line) => line.trimEnd());
  // npm begins with an empty line.
  let text = lines.join("\n").replace(/^\n+/, "");
  for (const [own, word] of replacements) text = text.replaceAll(own, word);
  return text === "" ? `$ ${command.text}` : `$ ${command.text}\n${text}`;
}
