import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { COMPLETION_SCRIPTS, type Shell } from "./scripts.ts";

const run = promisify(execFile);
const LINK = path.join(import.meta.dirname, "../link.ts");

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "isthmus-test-"));
  for (const [name, script] of Object.entries(COMPLETION_SCRIPTS)) {
    await writeFile(path.join(folder, `complete.${name}`), script);
  }
  const link = path.join(folder, "link");
  await writeFile(link, `#!/bin/sh\nexec "${process.execPath}" "${LINK}" "$@"\n`);
  await chmod(link, 0o755);
  const contexts = [{ name: "arn:aws:west", context: { cluster: "c", user: "u" } }];
  await writeFile(path.join(folder, "config"), stringify({ contexts }));
});

afterAll(async () => await rm(folder, { recursive: true }));

/** Runs a program of a shell that has the completion of link loaded; its arguments follow. */
async function shell(name: Shell, args: readonly string[]): Promise<string> {
  const env = {
    PATH: `${folder}:${process.env["PATH"] ?? ""}`,
    HOME: folder,
    KUBECONFIG: path.join(folder, "config"),
    SCRIPT: path.join(folder, `complete.${name}`),
  };
  const { stdout } = await run(name, args, { env });
  return stdout.trimEnd();
}

/** Each starts the whole program once. */
const SLOW = { timeout: 60_000, concurrent: true };

test("bash completes a name with colons, which it takes for several words", SLOW, async () => {
  const program = `source "$SCRIPT"
    COMP_LINE="$1" COMP_POINT=\${#1}
    _link_complete
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ["--noprofile", "--norc", "-c", program, "bash", "link status --context=arn:a"];
  expect(await shell("bash", args)).toBe("aws:west");
});

test("zsh completes a name with colons, which it takes for the description", SLOW, async () => {
  // What zsh has only while a person types.
  const program = `compdef() {}
    _describe() { print -rl -- "\${(P@)2}" }
    source "$SCRIPT"
    words=(link status --context arn) CURRENT=4
    _link`;
  expect(await shell("zsh", ["-f", "-c", program])).toBe("arn\\:aws\\:west");
});

test("fish completes with descriptions", SLOW, async () => {
  const program = `source $SCRIPT; complete -C "link status --contex"`;
  expect(await shell("fish", ["--no-config", "-c", program])).toBe(
    "--context\tcontext of the cluster; default: the current one",
  );
});
