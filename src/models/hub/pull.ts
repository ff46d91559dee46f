// Pulls files of a hub repository into the cache that Hugging Face's tools share: complete and
// verified, or an error in one sentence. It chooses no files and reads no environment.
import { invalidOption } from "../../errors.js";
import type { HubSettings } from "../hub-environment.js";
import { isRepositoryName, isRevision } from "../hub-reference.js";
import { RepositoryFolder } from "./cache-layout.js";
import { requireSpace } from "./disk-space.js";
import { fetchFile } from "./fetch-file.js";
import { FileSource } from "./file-source.js";
import { leftOver, type PartialName } from "./partial-file.js";
import { forAll } from "./permits.js";
import { Progress } from "./progress.js";
import { type PullWork, withClient } from "./pull-work.js";
import type { PullControl, PulledFile, RemoteFile } from "./remote-file.js";

export { fetchedUrl, type PulledUrl, pathOfUrl, pullUrl } from "./pull-url.js";

/** Which files of which repository. */
export interface PullRequest {
  /** "owner/name". */
  readonly repository: string;
  /** Branch, tag or commit; default: main. */
  readonly revision?: string | undefined;
  /** Picks the files to fetch; what it throws ends the pull. */
  readonly choose: (files: readonly RemoteFile[]) => readonly RemoteFile[];
}

/** A repository's files on the disk. */
export interface PulledSnapshot {
  /** The snapshot's folder: models--owner--name/snapshots/COMMIT. */
  readonly folder: string;
  /** The commit that the revision meant, 40 hexadecimal digits. */
  readonly commit: string;
  /** The chosen files, in the order of the choice. */
  readonly files: readonly PulledFile[];
}

/**
 * Fetches the chosen files of a repository; those that are in the cache are not fetched again.
 * Each blob that it fetched is recorded as an empty file models--owner--name/.infernode/DIGEST.
 * @throws InferenceError MODEL_NOT_FOUND, MODEL_ACCESS_DENIED, DOWNLOAD_FAILED, DISK_FULL,
 *   MODEL_UNREADABLE (the cache cannot be written), CANCELLED; INVALID_OPTION for a repository
 *   or revision that cannot be one
 */
export async function pull(
  request: PullRequest,
  settings: HubSettings,
  control: PullControl = {},
): Promise<PulledSnapshot> {
  const { repository, revision = "main" } = request;
  if (!isRepositoryName(repository)) throw invalidOption("pull()", ["repository"], "must be owner/name");
  if (!isRevision(revision))
    throw invalidOption("pull()", ["revision"], "must be a branch, a tag or a commit");
  return withClient(`the repository ${repository}`, settings, control, async (work) => {
    // Loaded where it is needed: the hub's client costs a start that pulls nothing.
    const { listRepository } = await import("./hub-api.js");
    const listing = await listRepository({ ...work, repository, revision, settings });
    const files = request.choose(listing.files);
    const pulled = await pullFiles(
      { ...work, repository, revision, settings },
      listing.commit,
      files,
      control,
    );
    const folder = new RepositoryFolder(settings.cacheFolder, repository);
    return { folder: folder.snapshot(listing.commit), commit: listing.commit, files: pulled };
  });
}

type RepositoryWork = PullWork & {
  readonly repository: string;
  readonly revision: string;
  readonly settings: HubSettings;
};

async function pullFiles(
  work: RepositoryWork,
  commit: string,
  files: readonly RemoteFile[],
  control: PullControl,
): Promise<readonly PulledFile[]> {
  const { settings, limits, signal, repository } = work;
  const folder = new RepositoryFolder(settings.cacheFolder, repository);
  const there = await Promise.all(files.map((file) => folder.has(file, commit)));
  const missing = new Map(files.filter((_, index) => !there[index]).map((file) => [file.digest, file]));
  let needed = 0;
  for (const file of missing.values()) needed += file.bytes - (await leftOver(nameOf(folder, file), limits));
  await requireSpace(folder.path, needed, `pulling ${repository}`);
  const unique = new Map(files.map((file) => [file.digest, file]));
  const progress = new Progress(
    [...unique.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    control.onProgress,
  );
  for (const file of unique.values()) if (!missing.has(file.digest)) progress.of(file.path).set(file.bytes);
  await forAll([...missing.values()], limits.files, signal, async (file, either) => {
    await fetchFile(requestOf(work, folder, commit, file), progress.of(file.path), work, either);
    await folder.markFetched(file);
  });
  const pulled: PulledFile[] = [];
  for (const file of files) {
    pulled.push({ ...file, location: await folder.link(file, commit), fetched: missing.has(file.digest) });
  }
  await folder.writeRef(work.revision, commit);
  progress.finish();
  return pulled;
}

function requestOf(work: RepositoryWork, folder: RepositoryFolder, commit: string, file: RemoteFile) {
  const { repository, revision, settings, client } = work;
  const { endpoint, token } = settings;
  const path = file.path.split("/").map(encodeURIComponent).join("/");
  const url = new URL(`${endpoint}/${repository}/resolve/${commit}/${path}`);
  const what = `the file ${file.path} of ${repository}`;
  const source = new FileSource(client, url, {
    what,
    repository,
    revision,
    endpoint,
    hasToken: token !== undefined,
  });
  return { source, name: nameOf(folder, file), digestKind: file.digestKind, digest: file.digest };
}

function nameOf(folder: RepositoryFolder, file: RemoteFile): PartialName {
  return { destination: folder.blob(file), bytes: file.bytes, identity: file.digest };
}
