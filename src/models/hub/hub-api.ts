// The hub's two questions: which commit a revision is, and which files that commit has. The
// calls and the shape of their addresses are @huggingface/hub's; every request goes through
// our own fetch, which sends the token to the hub only, bounds and checks each answer and
// tries again. What comes back is judged before anybody uses it: names from a hub are hostile.
import { listFiles, modelInfo } from "@huggingface/hub";
import { z } from "zod";
import type { HubSettings } from "../hub-environment.js";
import { Attempts, downloadFailed, Transient, withRetries } from "./failures.js";
import { type HttpClient, readText } from "./http-client.js";
import type { PullLimits } from "./limits.js";
import { isSafePath } from "./paths.js";
import type { RemoteFile } from "./remote-file.js";
import { type Asked, statusFailure } from "./statuses.js";

/** A repository's files at one commit. */
export interface Listing {
  readonly commit: string;
  readonly files: readonly RemoteFile[];
}

/** What a listing needs. */
export interface ListingRequest {
  readonly repository: string;
  readonly revision: string;
  readonly settings: HubSettings;
  readonly client: HttpClient;
  readonly limits: PullLimits;
  readonly signal: AbortSignal;
  readonly onNotice: (sentence: string) => void;
}

/** Tree pages of 1,000 entries are some 500 kB. */
const longestAnswer = 32 * 1024 * 1024;
const mostFiles = 200_000;

const sha1 = /^[0-9a-f]{40}$/;
const size = z.int().min(0);
const treeEntry = z.object({
  type: z.string(),
  path: z.string(),
  size: size.optional(),
  oid: z.string().optional(),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size }).optional(),
});

/** @throws InferenceError MODEL_NOT_FOUND, MODEL_ACCESS_DENIED, DOWNLOAD_FAILED, CANCELLED */
export async function listRepository(request: ListingRequest): Promise<Listing> {
  const { repository, revision, settings } = request;
  const common = { hubUrl: settings.endpoint, fetch: hubFetch(request) };
  const info = await modelInfo({ ...common, name: repository, revision, additionalFields: ["sha"] });
  const commit: unknown = info.sha;
  if (typeof commit !== "string" || !sha1.test(commit)) {
    throw downloadFailed(`${settings.endpoint} names no commit of "${revision}" of ${repository}`);
  }
  const files: RemoteFile[] = [];
  let ignored = 0;
  const repo = { type: "model" as const, name: repository };
  for await (const entry of listFiles({ ...common, repo, recursive: true, revision: commit })) {
    if (files.length + ignored >= mostFiles)
      throw downloadFailed(`${repository} has more than ${mostFiles} files`);
    const verdict = treeEntry.safeParse(entry);
    if (verdict.success && verdict.data.type === "directory") continue;
    const file = verdict.success ? fileOf(verdict.data) : undefined;
    if (file === undefined) ignored += 1;
    else files.push(file);
  }
  if (ignored > 0) {
    request.onNotice(
      `${repository}: ${ignored} files are ignored, because the hub describes them in a way that is not safe`,
    );
  }
  return { commit, files };
}

/** Undefined where name or digest cannot be what a hub says. */
function fileOf({ path, size: bytes, oid, lfs }: z.infer<typeof treeEntry>): RemoteFile | undefined {
  if (!isSafePath(path)) return undefined;
  if (lfs !== undefined) return { path, bytes: lfs.size, digestKind: "sha256", digest: lfs.oid };
  if (bytes === undefined || oid === undefined || !sha1.test(oid)) return undefined;
  return { path, bytes, digestKind: "git-sha1", digest: oid };
}

/** fetch() for @huggingface/hub: of this hub only, every answer a checked JSON text. */
function hubFetch(request: ListingRequest): typeof fetch {
  const { repository, revision, settings, client, limits, signal, onNotice } = request;
  const hub = new URL(settings.endpoint);
  const what = `the repository ${repository}`;
  const asked: Asked = {
    what,
    repository,
    revision,
    endpoint: settings.endpoint,
    hasToken: settings.token !== undefined,
  };
  return async (input) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const isOfHub = (target: URL) => target.origin === hub.origin;
    if (!isOfHub(url))
      throw downloadFailed(`${hub.host} names ${url.host} for the next page of ${repository}'s files`);
    return withRetries(
      new Attempts(`the list of ${repository}'s files`, limits, onNotice),
      signal,
      async () => {
        const answer = await client.ask(url, { headers: { accept: "application/json" }, signal }, isOfHub);
        if (answer.status !== 200) throw statusFailure(answer, asked);
        const text = await readText(answer, longestAnswer, limits);
        if (!isJson(text)) throw new Transient(`${hub.host} answered with something else than JSON`);
        const link = answer.headers.link;
        const headers = { "content-type": "application/json", ...(typeof link === "string" && { link }) };
        return new Response(text, { status: 200, headers });
      },
    );
  };
}

/** Whether it is an object or a list in JSON. */
function isJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
}
