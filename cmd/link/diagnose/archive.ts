import { open, rename, rm } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { tarEnd, tarHeader, tarPadding } from "../../build/tar.ts";

/** A file of the archive. */
export interface ArchiveFile {
  /** Below the archive's own folder. */
  readonly path: string;
  readonly content: string;
}

const MAX_PATH_BYTES = 100;

/** A path that a tar header takes: the middle of its longest part makes way. */
export function archivePath(path: string): string {
  const excess = Buffer.byteLength(path) - MAX_PATH_BYTES;
  if (excess <= 0) return path;
  const parts = path.split("/");
  const longest = parts.reduce((one, other) => (other.length > one.length ? other : one), "");
  const keep = Math.max(2, longest.length - excess - 1);
  const half = Math.floor(keep / 2);
  const short = `${longest.slice(0, half)}~${longest.slice(longest.length - (keep - half))}`;
  return parts.map((part) => (part === longest ? short : part)).join("/");
}

/** A tar.gz of files in one folder. */
export function packArchive(folder: string, files: readonly ArchiveFile[]): Buffer {
  const blocks = files.flatMap(({ path, content }) => {
    const bytes = Buffer.from(content);
    const entry = { type: "file", path: archivePath(`${folder}/${path}`), mode: 0o600 } as const;
    const header = tarHeader({ ...entry, source: "", content: bytes }, bytes.length);
    return [header, bytes, tarPadding(bytes.length)];
  });
  return gzipSync(Buffer.concat([...blocks, tarEnd]));
}

/**
 * Writes a file that only its owner may read, whole or not at all.
 * @throws Error as node:fs does.
 */
export async function writeWhole(path: string, content: Buffer): Promise<void> {
  const partial = `${path}.partial`;
  try {
    const file = await open(partial, "w", 0o600);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
