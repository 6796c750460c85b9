import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasCode } from "./error-code.ts";

// The kubelet sets these for the whole machine at its start.
const names = ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops"];

const path = (name: string) => join("/proc/sys", name);
const savedPath = () => join(tmpdir(), "isthmus-sysctls.json");

/** Notes the machine's own values before the first kubelet of all beds changes them. */
export function saveSysctls(): void {
  const values = Object.fromEntries(
    names.map((name) => [name, readFileSync(path(name), "utf8").trim()]),
  );
  try {
    writeFileSync(savedPath(), JSON.stringify(values), { flag: "wx" });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

/** Puts the noted values back once the last bed has gone. */
export function restoreSysctls(): void {
  if (!existsSync(savedPath())) return;
  if (readdirSync(tmpdir()).some((name) => /^isthmus-bed-\d+$/.test(name))) return;
  const values: Record<string, string> = JSON.parse(readFileSync(savedPath(), "utf8"));
  for (const name of names) {
    const value = values[name];
    if (value !== undefined) writeFileSync(path(name), value);
  }
  rmSync(savedPath(), { force: true });
}
