// Brings the missing bytes of a partial file: in parts, several at once, each tried again
// until it is there; from a server that sends whole files only, as one stream.
import type { ByteRange } from "./byte-ranges.js";
import { Attempts, withRetries } from "./failures.js";
import type { FileDigest } from "./file-digest.js";
import type { FileSource } from "./file-source.js";
import type { PullLimits } from "./limits.js";
import type { PartialFile } from "./partial-file.js";
import { forAll, type Permits } from "./permits.js";
import { type AnsweredRange, bytesOf, judgeRange, RangeIgnored } from "./range-answer.js";

/** What the fetching of one file needs. */
export interface PartsRequest {
  readonly source: FileSource;
  readonly file: PartialFile;
  readonly bytes: number;
  readonly limits: PullLimits;
  readonly permits: Permits;
  readonly onNotice: (sentence: string) => void;
  /** Told after each write. */
  readonly onWritten: (bytes: number) => void;
  /** Makes a digest that reads from the file's beginning. */
  readonly newDigest: () => FileDigest;
}

/** Collected before it is written: network chunks are some 16 kB. */
const writeBytes = 1024 * 1024;

/** @returns the digest, which has not read all of the file yet */
export async function fetchParts(request: PartsRequest, signal: AbortSignal): Promise<FileDigest> {
  const { file, bytes, limits } = request;
  const digest = request.newDigest();
  const written = (count: number) => {
    digest.follow();
    request.onWritten(count);
  };
  digest.follow();
  try {
    const missing = file.done.missing(bytes, limits.partBytes);
    await forAll(missing, limits.connections, signal, (part, either) =>
      fetchPart({ ...request, onWritten: written }, part, either),
    );
    return digest;
  } catch (thrown) {
    await digest.settle();
    if (!(thrown instanceof RangeIgnored)) throw thrown;
  }
  await fetchWhole(request, signal);
  return request.newDigest();
}

async function fetchPart(request: PartsRequest, part: ByteRange, signal: AbortSignal): Promise<void> {
  const { source, bytes, limits, permits } = request;
  const attempts = new Attempts(source.what, limits, request.onNotice);
  let at = part.start;
  let progress = 0;
  while (at < part.end) {
    try {
      await permits.with(async () => {
        const wanted = { start: at, end: part.end };
        const answer = await source.ask(wanted, signal);
        try {
          const range = judgeRange(answer, wanted, bytes);
          await store(request, bytesOf(answer, range, limits), range, (count) => {
            at += count;
            progress += count;
          });
        } finally {
          answer.body.destroy();
        }
      });
    } catch (thrown) {
      if (progress >= limits.progressBytes) {
        attempts.progressed();
        progress = 0;
      }
      await attempts.failed(thrown, signal);
    }
  }
}

/** One request for everything; each attempt begins at the file's beginning. */
async function fetchWhole(request: PartsRequest, signal: AbortSignal): Promise<void> {
  const { source, file, bytes, limits, permits } = request;
  request.onNotice(
    `${source.what}: the server sends whole files only, so that a broken transfer begins again`,
  );
  await withRetries(new Attempts(source.what, limits, request.onNotice), signal, () =>
    permits.with(async () => {
      await file.reset();
      const wanted = { start: 0, end: bytes };
      const answer = await source.ask(wanted, signal);
      try {
        const range = judgeRange(answer, wanted, bytes);
        await store(request, bytesOf(answer, range, limits), range, () => {});
        if (range.end < bytes) throw new RangeIgnored("ranges are sometimes ignored");
      } finally {
        answer.body.destroy();
      }
    }),
  );
}

/** Writes what comes, also the last bytes before a failure. */
async function store(
  request: PartsRequest,
  chunks: AsyncIterable<Buffer>,
  range: AnsweredRange,
  onStored: (count: number) => void,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(writeBytes, range.end - range.start));
  let at = range.start;
  let held = 0;
  const flush = async () => {
    if (held === 0) return;
    const count = held;
    held = 0;
    await request.file.write(buffer.subarray(0, count), at);
    at += count;
    onStored(count);
    request.onWritten(count);
  };
  try {
    for await (const chunk of chunks) {
      for (let taken = 0; taken < chunk.length; ) {
        const count = chunk.copy(buffer, held, taken);
        held += count;
        taken += count;
        if (held === buffer.length) await flush();
      }
    }
  } catch (thrown) {
    await flush();
    throw thrown;
  }
  await flush();
}
