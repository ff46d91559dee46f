// A model on the network as files of this machine that have its headers and no weights: what a
// plan needs, by HTTP range requests of some megabytes. The files are sparse and have the
// sizes of the real ones; they are deleted after use.
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { InferenceError } from "../../errors.js";
import { Attempts, withRetries } from "../hub/failures.js";
import { FileSource } from "../hub/file-source.js";
import { type PullWork, withClient } from "../hub/pull-work.js";
import { bytesOf, judgeRange } from "../hub/range-answer.js";
import type { RemoteFile } from "../hub/remote-file.js";
import type { Asked } from "../hub/statuses.js";
import type { HubSettings } from "../hub-environment.js";
import type { HubReference } from "../hub-reference.js";
import type { AddressReference } from "../reference.js";
import { wantedFiles } from "../wanted-files.js";
import { ggufHeaderLength, safetensorsHeaderLength } from "./header-length.js";

const firstBytes = 2 * 1024 * 1024;
/** Longer than any header: vocabularies of a million tokens take some 30 MB. */
const mostHeaderBytes = 256 * 1024 * 1024;
/** Files beside the weights are read whole. */
const mostSmallBytes = 64 * 1024 * 1024;

/** A model's headers on this machine. */
export interface RemoteHeaders {
  /** The GGUF file, or the folder of a checkpoint. */
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Reads the headers of a model that is not here.
 * @throws InferenceError (rejects) as pull() does; MODEL_NOT_FOUND where the network is forbidden
 */
export async function fetchHeaders(
  reference: HubReference | AddressReference,
  settings: HubSettings,
  signal?: AbortSignal,
): Promise<RemoteHeaders> {
  const folder = await mkdtemp(join(tmpdir(), "infernode-plan-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  const what =
    reference.type === "hub" ? `the repository ${reference.repository}` : new URL(reference.url).host;
  try {
    const path = await withClient(what, settings, { signal }, (work) =>
      reference.type === "hub"
        ? fromHub(reference, folder, settings, work)
        : fromAddress(reference, folder, settings, work),
    );
    return { path, remove };
  } catch (thrown) {
    await remove();
    throw thrown;
  }
}

async function fromHub(
  reference: HubReference,
  folder: string,
  settings: HubSettings,
  work: PullWork,
): Promise<string> {
  const { repository, revision = "main" } = reference;
  const { listRepository } = await import("../hub/hub-api.js");
  const listing = await listRepository({ ...work, repository, revision, settings });
  const byPath = new Map(listing.files.map((file) => [file.path, file]));
  const { files, format } = wantedFiles([...byPath.keys()], reference);
  for (const path of files) {
    const file = byPath.get(path);
    if (file !== undefined)
      await copyHeader(hubFile(file, repository, listing.commit, settings, work), join(folder, path), work);
  }
  return format === "gguf" ? join(folder, files[0] ?? "") : folder;
}

interface Remote {
  readonly source: FileSource;
  readonly path: string;
  readonly bytes: number;
}

function hubFile(
  { path, bytes }: RemoteFile,
  repository: string,
  commit: string,
  { endpoint, token }: HubSettings,
  { client }: PullWork,
): Remote {
  const inUrl = [repository, "resolve", commit, path].flatMap((part) => part.split("/"));
  const url = new URL(`${endpoint}/${inUrl.map(encodeURIComponent).join("/")}`);
  const what = `the file ${path} of ${repository}`;
  const asked: Asked = { what, repository, revision: commit, endpoint, hasToken: token !== undefined };
  return { source: new FileSource(client, url, asked), path, bytes };
}

async function fromAddress(
  reference: AddressReference,
  folder: string,
  { endpoint, token }: HubSettings,
  work: PullWork,
): Promise<string> {
  const url = new URL(reference.url);
  const what = `${url.host}${url.pathname}`;
  const asked: Asked = {
    what,
    repository: undefined,
    revision: undefined,
    endpoint,
    hasToken: token !== undefined,
  };
  const source = new FileSource(work.client, url, asked);
  const bytes = await sizeOf(source, work);
  const path = join(folder, "model.gguf");
  await copyHeader({ source, path: "model.gguf", bytes }, path, work);
  return path;
}

/** By the answer to a request for the first byte. */
function sizeOf(source: FileSource, { limits, onNotice, signal }: PullWork): Promise<number> {
  return withRetries(new Attempts(source.what, limits, onNotice), signal, async () => {
    const answer = await source.ask({ start: 0, end: 1 }, signal);
    answer.body.destroy();
    const [, total] = /\/(\d+)$/.exec(answer.headers["content-range"] ?? "") ?? [];
    const size = Number(total ?? answer.headers["content-length"]);
    if (Number.isSafeInteger(size)) return size;
    throw new InferenceError("DOWNLOAD_FAILED", `${source.what}: the server does not tell its size`);
  });
}

/** Writes the header, or all of a small file, to `place`, which then has the file's size. */
async function copyHeader(remote: Remote, place: string, work: PullWork): Promise<void> {
  const head = await readHead(remote, work);
  await mkdir(dirname(place), { recursive: true });
  const file = await open(place, "wx");
  try {
    await file.write(head, 0, head.length, 0);
    await file.truncate(remote.bytes);
  } finally {
    await file.close();
  }
}

async function readHead(remote: Remote, work: PullWork): Promise<Buffer> {
  const lengthOf = headerLengthOf(remote.path);
  if (lengthOf === undefined) {
    if (remote.bytes <= mostSmallBytes) return readUpTo(remote, Buffer.alloc(0), remote.bytes, work);
    throw tooLong(remote, mostSmallBytes);
  }
  let head: Buffer = Buffer.alloc(0);
  for (let wanted = firstBytes; ; wanted *= 4) {
    head = await readUpTo(remote, head, Math.min(wanted, remote.bytes), work);
    const length = lengthOf(head);
    if (length !== undefined) return head.subarray(0, length);
    if (head.length === remote.bytes) return head;
    if (wanted >= mostHeaderBytes) throw tooLong(remote, mostHeaderBytes);
  }
}

function headerLengthOf(path: string): ((bytes: Buffer) => number | undefined) | undefined {
  if (/\.gguf$/i.test(path)) return ggufHeaderLength;
  return path.endsWith(".safetensors") ? safetensorsHeaderLength : undefined;
}

function tooLong({ source }: Remote, most: number): InferenceError {
  return new InferenceError("MODEL_CORRUPT", `${source.what} has a header of more than ${most} bytes`);
}

/** The first `end` bytes, of which `head` is known. */
async function readUpTo(
  { source, bytes }: Remote,
  head: Buffer,
  end: number,
  work: PullWork,
): Promise<Buffer> {
  const { limits, onNotice, signal } = work;
  const chunks = [head];
  let start = head.length;
  const attempts = new Attempts(source.what, limits, onNotice);
  await withRetries(attempts, signal, async () => {
    while (start < end) {
      const wanted = { start, end };
      const answer = await source.ask(wanted, signal);
      for await (const chunk of bytesOf(answer, judgeRange(answer, wanted, bytes), limits)) {
        chunks.push(chunk);
        start += chunk.length;
      }
    }
  });
  return Buffer.concat(chunks);
}
