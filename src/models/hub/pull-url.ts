// Pulls one file by its address into CACHE/.infernode/urls/HASH-OF-ADDRESS/NAME. The size is
// always checked, a digest where the address names one; the digest is told in any case.
// Addresses may hold secrets in their query: sentences show host and path only.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, posix, resolve } from "node:path";
import { pid } from "node:process";
import { z } from "zod";
import { InferenceError, invalidOption } from "../../errors.js";
import type { HubSettings } from "../hub-environment.js";
import { requireSpace } from "./disk-space.js";
import { Attempts, Changed, Transient, withRetries } from "./failures.js";
import { fetchFile } from "./fetch-file.js";
import { FileSource, validatorOf } from "./file-source.js";
import { leftOver } from "./partial-file.js";
import { isSafePath } from "./paths.js";
import { Progress } from "./progress.js";
import { type PullWork, withClient } from "./pull-work.js";
import type { PullControl } from "./remote-file.js";
import { type Asked, statusFailure } from "./statuses.js";

/** A file that was pulled by its URL. */
export interface PulledUrl {
  /** Absolute path. */
  readonly path: string;
  /** SHA-256 of the file, lower-case hexadecimal. */
  readonly sha256: string;
  /** False: it was in the cache already. */
  readonly fetched: boolean;
}

const recordShape = z.object({
  address: z.string(),
  bytes: z.int().min(0),
  validator: z.string().optional(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
/** What is known of a file that was fetched; the address is without its query. */
type Record = z.infer<typeof recordShape>;

interface Version {
  readonly bytes: number;
  readonly validator: string | undefined;
}

/** Where a URL's file lies once it is fetched. */
export function pathOfUrl(url: URL, settings: Pick<HubSettings, "cacheFolder">): string {
  const bare = new URL(url);
  bare.hash = "";
  const key = createHash("sha256").update(bare.href).digest("hex").slice(0, 16);
  const last = posix.basename(bare.pathname);
  const named = safelyDecoded(last);
  const name = isSafePath(named) && !named.includes("/") ? named : "model.gguf";
  return join(resolve(settings.cacheFolder), ".infernode", "urls", key, name);
}

/**
 * Fetches one file by its URL; one that is in the cache and unchanged is not fetched again.
 * @param address http: or https:; "#sha256=HEX" at its end is verified
 * @throws InferenceError as pull()
 */
export async function pullUrl(
  address: string,
  settings: HubSettings,
  control: PullControl = {},
): Promise<PulledUrl> {
  const { url, sha256 } = judgeAddress(address);
  const path = pathOfUrl(url, settings);
  const known = await recordOf(path);
  if (known !== undefined && sha256 !== undefined && known.sha256 === sha256) {
    return { path, sha256, fetched: false };
  }
  const shown = `${url.host}${url.pathname}`;
  return withClient(shown, settings, control, async (work) => {
    const { endpoint, token } = settings;
    const asked = {
      what: shown,
      repository: undefined,
      revision: undefined,
      endpoint,
      hasToken: token !== undefined,
    };
    const fetch = async () => {
      const version = await versionOf(url, asked, work);
      if (known !== undefined && sha256 === undefined && isSame(known, version)) {
        return { path, sha256: known.sha256, fetched: false };
      }
      const found = await fetchVersion({ url, asked, path, sha256, version, control }, work);
      await writeRecord(path, { address: `${url.protocol}//${shown}`, ...version, sha256: found });
      return { path, sha256: found, fetched: true };
    };
    // A file that is replaced on its server meanwhile is another version: asked for once more.
    return fetch().catch((thrown: unknown) => {
      if (thrown instanceof InferenceError && thrown.cause instanceof Changed) return fetch();
      throw thrown;
    });
  });
}

interface VersionRequest {
  readonly url: URL;
  readonly asked: Asked;
  readonly path: string;
  readonly sha256: string | undefined;
  readonly version: Version;
  readonly control: PullControl;
}

/** @returns the file's SHA-256 */
async function fetchVersion(request: VersionRequest, work: PullWork): Promise<string> {
  const { url, asked, path, sha256, version, control } = request;
  const name = {
    destination: path,
    bytes: version.bytes,
    identity: `${version.validator ?? ""} ${sha256 ?? ""}`,
  };
  await requireSpace(dirname(path), version.bytes - (await leftOver(name, work.limits)), asked.what);
  const source = new FileSource(work.client, url, asked, version.validator);
  const progress = new Progress(version.bytes, control.onProgress);
  const file = { source, name, digestKind: "sha256", digest: sha256 } as const;
  const found = await fetchFile(file, progress.of(posix.basename(url.pathname)), work, work.signal);
  progress.finish();
  return found;
}

function judgeAddress(address: string): { readonly url: URL; readonly sha256: string | undefined } {
  const refuse = (problem: string) => invalidOption("pull()", ["url"], problem);
  if (!URL.canParse(address)) throw refuse("must be the https:// address of a file");
  const url = new URL(address);
  if (!/^https?:$/.test(url.protocol)) throw refuse("must be an http: or https: address");
  if (url.username !== "" || url.password !== "") throw refuse("must have no user name and no password");
  const [, sha256] = /^#sha256=([0-9a-f]{64})$/i.exec(url.hash) ?? [];
  if (url.hash !== "" && sha256 === undefined)
    throw refuse("must end with #sha256= and 64 hexadecimal digits");
  url.hash = "";
  return { url, sha256: sha256?.toLowerCase() };
}

/** Size and version of the file, from the answer to a request for its first byte. */
async function versionOf(url: URL, asked: Asked, work: PullWork): Promise<Version> {
  const { client, limits, signal, onNotice } = work;
  return withRetries(new Attempts(asked.what, limits, onNotice), signal, async () => {
    const answer = await client.ask(url, { headers: { range: "bytes=0-0" }, signal });
    if (answer.status !== 200 && answer.status !== 206) throw statusFailure(answer, asked);
    answer.body.destroy();
    const { headers, status } = answer;
    const [, total] = /^bytes 0-0\/(\d+)$/.exec(headers["content-range"] ?? "") ?? [];
    const text = status === 206 ? total : headers["content-length"];
    if (text === undefined || headers["content-encoding"] !== undefined) {
      throw new Transient(`${url.host} does not tell the size of the file`);
    }
    return { bytes: Number(text), validator: validatorOf(answer) };
  });
}

function isSame(known: Record, version: Version): boolean {
  return (
    known.bytes === version.bytes && version.validator !== undefined && known.validator === version.validator
  );
}

/** What is known of the file at the path; undefined where it or its record is missing or damaged. */
async function recordOf(path: string): Promise<Record | undefined> {
  const text = await readFile(`${path}.json`, "utf8").catch(() => "");
  const found = await stat(path).catch(() => undefined);
  const record = recordShape.safeParse(parsed(text)).data;
  return record !== undefined && found?.size === record.bytes ? record : undefined;
}

/** The digest that was found when a URL's file was fetched; undefined where it is not in the cache. */
export async function fetchedUrl(
  url: URL,
  settings: Pick<HubSettings, "cacheFolder">,
): Promise<PulledUrl | undefined> {
  const path = pathOfUrl(url, settings);
  const record = await recordOf(path);
  return record === undefined ? undefined : { path, sha256: record.sha256, fetched: false };
}

async function writeRecord(path: string, record: Record): Promise<void> {
  const temporary = `${path}.${pid}.temporary`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(temporary, `${JSON.stringify(record)}\n`);
    await rename(temporary, `${path}.json`);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
