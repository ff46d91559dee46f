// One file, from its server to its final name: fetched, verified, renamed. What does not have
// the digest that was announced never gets the name.
import { Changed, downloadFailed, storageFailure } from "./failures.js";
import { fetchParts } from "./fetch-parts.js";
import { FileDigest } from "./file-digest.js";
import type { FileSource } from "./file-source.js";
import type { PullLimits } from "./limits.js";
import { PartialFile, type PartialName, removeLeftOvers } from "./partial-file.js";
import type { Permits } from "./permits.js";
import type { FileProgress } from "./progress.js";
import type { DigestKind } from "./remote-file.js";

/** Which file, and how it is known to be right. */
export interface FileRequest {
  readonly source: FileSource;
  readonly name: PartialName;
  readonly digestKind: DigestKind;
  /** What the digest must be; undefined: it is told only. */
  readonly digest: string | undefined;
}

/** What the files of one pull share. */
export interface FetchContext {
  readonly limits: PullLimits;
  readonly permits: Permits;
  readonly onNotice: (sentence: string) => void;
}

/**
 * @returns the file's digest
 * @throws InferenceError DOWNLOAD_FAILED, DISK_FULL, MODEL_UNREADABLE and those of the source
 */
export async function fetchFile(
  request: FileRequest,
  progress: FileProgress,
  context: FetchContext,
  signal: AbortSignal,
): Promise<string> {
  const { limits, onNotice } = context;
  for (let restart = 0; ; restart += 1) {
    try {
      return await fetchOnce(request, progress, context, signal);
    } catch (thrown) {
      const failure = storageFailure(thrown, request.name.destination);
      if (!(failure instanceof Changed)) throw failure;
      if (restart >= limits.restarts) {
        throw downloadFailed(
          `${request.source.what} could not be fetched: ${failure.message} (${restart + 1} times)`,
          failure,
        );
      }
      onNotice(`${request.source.what}: ${failure.message}; beginning the file again`);
    }
  }
}

async function fetchOnce(
  request: FileRequest,
  progress: FileProgress,
  context: FetchContext,
  signal: AbortSignal,
): Promise<string> {
  const { source, name, digestKind, digest: announced } = request;
  const file = await PartialFile.open(name, context.limits);
  progress.set(file.done.total);
  let isOpen = true;
  try {
    const newDigest = () => new FileDigest(file, name.bytes, digestKind);
    const onWritten = (count: number) => {
      progress.received(count);
      progress.set(file.done.total);
    };
    const parts = { ...context, source, file, bytes: name.bytes, newDigest, onWritten };
    const reading = await fetchParts(parts, signal);
    const digest = await reading.finish(signal);
    if (announced !== undefined && digest !== announced) {
      throw new Changed(
        `its ${digestKind === "sha256" ? "SHA-256" : "git SHA-1"} is ${digest} instead of ${announced}`,
      );
    }
    await file.commit();
    isOpen = false;
    await removeLeftOvers(name, context.limits);
    return digest;
  } catch (thrown) {
    const isOfUse = file.done.total > 0 && !(thrown instanceof Changed);
    if (isOpen) await (isOfUse ? file.release() : file.discard());
    throw thrown;
  }
}
