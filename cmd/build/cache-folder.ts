import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * A folder in the user's cache, shared by all work trees and made if it is missing:
 * `$XDG_CACHE_HOME/isthmus/NAME`, by default below `~/.cache`.
 */
export function cacheFolder(name: string): string {
  // The XDG base directory specification: a relative path is to be ignored.
  const base = process.env["XDG_CACHE_HOME"];
  const path = join(base?.startsWith("/") ? base : join(homedir(), ".cache"), "isthmus", name);
  mkdirSync(path, { recursive: true });
  return path;
}
