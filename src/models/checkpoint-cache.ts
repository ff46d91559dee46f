// Checkpoints that were converted once, as GGUF files in one folder: found by their key,
// which the file's header repeats, and written whole or not at all. Beside each lies what was
// told of it, and what it was made of. Two processes may convert the same checkpoint at once:
// the later one replaces the same bytes. A file whose time is not the recorded one is read and
// compared with its digest before it is used. Evicts nothing.
import { mkdir, readdir, rename, stat, unlink, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { cancelledBy, InferenceError } from "../errors.js";
import { tellLog } from "../log.js";
import type { CheckpointReport, NativePackedCheckpoint, NativePacking } from "../native-checkpoint.js";
import { checkpointKey, keyValue } from "./checkpoint-key.js";
import { type ConvertedRecord, isConverted, keyCharacters, readRecord, recordOf } from "./converted-files.js";
import { fileSha256 } from "./file-sha256.js";
import type { FileWorkCalls } from "./file-work.js";
import { type PackingOrder, packCheckpoint } from "./pack-checkpoint.js";
import { quantizeCheckpoint } from "./quantize-checkpoint.js";
import { needsQuantizer, quantizeTypes } from "./quantize-types.js";

/** A temporary file this old belongs to no living process. */
const abandonedAfterMs = 24 * 60 * 60 * 1000;

/** Layers of container images keep whole seconds of a file's time. */
const coarsestTimeMs = 1000;

/** A converted checkpoint in the cache. */
export interface ConvertedCheckpoint {
  /** Absolute path of the GGUF file. */
  readonly path: string;
  /** What was told when it was written. */
  readonly report: CheckpointReport;
}

/** The cache in one folder, which need not exist. */
export class CheckpointCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * The GGUF file of a checkpoint, which counts as used now; undefined: there is none.
   * @param directory absolute path of the checkpoint
   * @throws InferenceError (rejects) CANCELLED
   */
  async find(
    directory: string,
    packing: NativePacking,
    { signal }: FileWorkCalls = {},
  ): Promise<ConvertedCheckpoint | undefined> {
    const key = await checkpointKey(directory, packing);
    return this.#use(this.#pathOf(directory, key), key, signal);
  }

  /**
   * The same, converted and written first where there is none.
   * @throws InferenceError (rejects) DISK_FULL and FILE_NOT_WRITABLE where nothing can be
   * written: the checkpoint can be loaded without a file, unless llama.cpp's quantizer is to
   * make it. CANCELLED, MODEL_ codes, and quantizeCheckpoint()'s.
   */
  async obtain(
    directory: string,
    packing: NativePacking,
    calls: FileWorkCalls = {},
  ): Promise<ConvertedCheckpoint> {
    const key = await checkpointKey(directory, packing);
    const path = this.#pathOf(directory, key);
    const found = await this.#use(path, key, calls.signal);
    if (found !== undefined) return found;
    await this.#makeFolder();
    await this.#removeAbandoned();
    const { bytes, ...report } = await write(
      { directory, target: path, packing, values: { [keyValue]: key } },
      calls,
    );
    if ((await checkpointKey(directory, packing)) !== key) {
      await unlink(path).catch(() => {});
      throw new InferenceError(
        "MODEL_LOAD_FAILED",
        `${directory} was changed while it was converted; load it again once it is complete`,
      );
    }
    const writtenMs = (await stat(path)).mtimeMs;
    const sha256 = await digestOf(path, calls.signal);
    await this.#writeRecord(path, { key, source: directory, packing, bytes, sha256, writtenMs, report });
    return { path, report };
  }

  /** The file if it is whole and the one with this key, which then counts as used now. */
  async #use(
    path: string,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<ConvertedCheckpoint | undefined> {
    const record = readRecord(path);
    if (record === undefined || record.key !== key || !isConverted(path, key, record.bytes)) return undefined;
    if (!(await this.#isAsWritten(path, record, signal))) {
      tellLog({ level: "warn", text: `${path} was changed since it was written, and is not used` });
      await unlink(recordOf(path)).catch(() => {}); // nor by those who look next
      return undefined;
    }
    const now = new Date();
    await utimes(recordOf(path), now, now).catch(() => {}); // on a read-only disk nothing is evicted either
    return { path, report: record.report };
  }

  /**
   * Whether the content is the recorded one: by the file's time, which costs nothing, else by its
   * digest, which reads the file once: the time is then recorded.
   */
  async #isAsWritten(
    path: string,
    record: ConvertedRecord,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const writtenMs = (await stat(path).catch(() => undefined))?.mtimeMs;
    if (writtenMs === undefined) return false; // somebody removed it just now
    if (Math.abs(writtenMs - (record.writtenMs ?? 0)) < coarsestTimeMs) return true;
    try {
      if ((await fileSha256(path, signal)) !== record.sha256) return false;
    } catch {
      if (signal?.aborted) throw cancelledBy(signal, "loading the model");
      return false;
    }
    await this.#writeRecord(path, { ...record, writtenMs }).catch(() => {});
    return true;
  }

  #pathOf(directory: string, key: string): string {
    return join(this.#folder, `${modelName(directory)}-${key.slice(0, keyCharacters)}.gguf`);
  }

  async #makeFolder(): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true });
    } catch (cause) {
      const problem = `the folder of converted models, ${this.#folder}, cannot be made`;
      throw notWritable(problem, cause);
    }
  }

  /** Whole or not there, as the GGUF file. */
  async #writeRecord(path: string, record: ConvertedRecord & { packing?: NativePacking }): Promise<void> {
    const unique = `${process.pid}-${Math.random().toString(36).slice(2, 8).padEnd(6, "0")}`;
    const temporary = join(this.#folder, `.${basename(path)}.${unique}.tmp`);
    try {
      await writeFile(temporary, JSON.stringify(record));
      await rename(temporary, recordOf(path));
    } catch (cause) {
      await unlink(temporary).catch(() => {});
      throw notWritable(`${recordOf(path)} cannot be written`, cause);
    }
  }

  /** What a process left that was killed: on file systems that know no files without a name. */
  async #removeAbandoned(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!/^\..*\.\d+-\w{6}\.tmp$/.test(name)) continue;
      const path = join(this.#folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found && found.mtimeMs < Date.now() - abandonedAfterMs) await unlink(path).catch(() => {});
    }
  }
}

/** By llama.cpp's quantizer where it alone makes the type of plain weights. */
function write(order: PackingOrder, calls: FileWorkCalls): Promise<NativePackedCheckpoint> {
  const type = quantizeTypes.find((name) => name === order.packing.plainType);
  if (type === undefined || !needsQuantizer(type)) return packCheckpoint(order, calls);
  return quantizeCheckpoint({ ...order, type, checkpoint: order.packing }, calls);
}

/** For `infernode cache verify`. The file is in the page cache still; it goes where this is cancelled. */
async function digestOf(path: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    return await fileSha256(path, signal);
  } catch (thrown) {
    await unlink(path).catch(() => {});
    if (signal?.aborted) throw cancelledBy(signal, "packing the model");
    throw thrown;
  }
}

function notWritable(problem: string, cause: unknown): InferenceError {
  const reason = (cause as { readonly code?: string }).code ?? "unknown";
  const code = reason === "ENOSPC" ? "DISK_FULL" : "FILE_NOT_WRITABLE";
  return new InferenceError(code, `${problem} (${reason}); set HF_HOME to a folder that may be written`, {
    cause,
  });
}

/** Part of a file name: of a hub's snapshot its repository, else the directory. */
function modelName(directory: string): string {
  const repository = /models--([^/]+)\/snapshots\/[^/]+\/?$/.exec(directory)?.[1]?.replace(/^.*--/, "");
  const name = (repository ?? basename(directory)).replace(/[^\w.-]+/g, "_").replace(/^\.+/, "");
  return name.slice(0, 100) || "model";
}
