// The SHA-256 of a file's content.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

const chunkBytes = 2 ** 20;

/**
 * @returns 64 hexadecimal digits
 * @throws what the file system throws; an AbortError at the signal
 */
export async function fileSha256(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const chunks = createReadStream(path, { highWaterMark: chunkBytes, ...(signal && { signal }) });
  for await (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}
