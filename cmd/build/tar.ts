/** One file, folder or link of a layer. Owner and group are 0 unless told. */
export type LayerEntry = {
  /** Path without a leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
} & (
  | {
      readonly type: "file";
      /** File to copy, unless the content is given. */
      readonly source: string;
      readonly content?: Buffer;
    }
  | { readonly type: "folder" }
  | { readonly type: "link"; readonly target: string }
);

const blockBytes = 512;
const maxNameBytes = 100;
const typeFlags = { file: "0", link: "2", folder: "5" };

/** The two empty blocks that close an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * blockBytes);

/** What fills the last block of a file of that many bytes. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/**
 * The header of an entry in the ustar format (POSIX.1-1988), with modification time 0.
 * @throws RangeError if the path or link target is longer than 100 bytes.
 */
export function tarHeader(entry: LayerEntry, sizeBytes: number): Buffer {
  const header = Buffer.alloc(blockBytes);
  const name = entry.type === "folder" ? `${entry.path}/` : entry.path;
  const target = entry.type === "link" ? entry.target : "";
  for (const text of [name, target]) {
    if (Buffer.byteLength(text) > maxNameBytes)
      throw new RangeError(`too long for a tar header: ${text}`);
  }
  const octal = (value: number, offset: number, lengthBytes: number) =>
    header.write(value.toString(8).padStart(lengthBytes - 1, "0"), offset, "ascii");
  header.write(name, 0);
  octal(entry.mode, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(0, 136, 12);
  header.write(typeFlags[entry.type], 156);
  header.write(target, 157);
  header.write("ustar", 257, "ascii");
  header.write("00", 263, "ascii");
  // The checksum is taken with its own field full of spaces.
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "ascii");
  return header;
}
