// Whether there is room for what is to be fetched, asked before the first byte.
import { mkdir, statfs } from "node:fs/promises";
import { InferenceError } from "../../errors.js";
import { storageFailure } from "./failures.js";

/** Left for journals and links. */
const spareBytes = 1024 * 1024;

/**
 * Makes the folder, and compares its disk with the need.
 * @param what in the middle of a sentence
 * @throws InferenceError DISK_FULL, MODEL_UNREADABLE
 */
export async function requireSpace(folder: string, bytes: number, what: string): Promise<void> {
  const free = await (async () => {
    await mkdir(folder, { recursive: true });
    const disk = await statfs(folder);
    return disk.bavail * disk.bsize;
  })().catch((thrown: unknown) => {
    throw storageFailure(thrown, folder);
  });
  if (bytes === 0 || free >= bytes + spareBytes) return;
  throw new InferenceError(
    "DISK_FULL",
    `${what} needs ${amount(bytes)} in ${folder}, whose disk has ${amount(free)} free; ` +
      "make room there or name another folder by HF_HUB_CACHE",
  );
}

/** Bytes as people read them: "4.92 GB". */
export function amount(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toPrecision(3)} ${units[power]}`;
}
