// What the tests of pulling share: a hub with a repository, a folder for its cache, quick
// limits, and a check that everything in a cache is what its name says.
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach } from "vitest";
import type { PullLimits } from "../../../src/models/hub/limits.js";
import type { HubSettings } from "../../../src/models/hub-environment.js";
import {
  gitSha1,
  type Hub,
  type HubOptions,
  type RepositoryOptions,
  randomNumbers,
  startHub,
} from "../../../tools/hub-emulator/index.mjs";

/** Tests wait for nothing that a person would. */
export const quick: Partial<PullLimits> = {
  firstPauseMs: 1,
  lastPauseMs: 5,
  stallMs: 1000,
  partBytes: 64 * 1024,
  progressBytes: 16 * 1024,
};

/** Bytes that look random, the same for the same seed. */
export function bytesOf(count: number, seed = 1): Buffer {
  const random = randomNumbers(seed);
  const bytes = Buffer.alloc(count);
  for (let at = 0; at < count; at += 1) bytes[at] = Math.floor(random() * 256);
  return bytes;
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A hub that ends with the test. */
export async function hubOf(
  repositories: Readonly<Record<string, RepositoryOptions>>,
  options: HubOptions = {},
): Promise<Hub> {
  const hub = await startHub(repositories, options);
  closing.push(() => hub.close());
  return hub;
}

/** A folder that is removed with the test. */
export async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "infernode-hub-"));
  closing.push(() => rm(made, { recursive: true, force: true }));
  return made;
}

export function settingsOf(hub: Pick<Hub, "endpoint">, cacheFolder: string, token?: string): HubSettings {
  const proxy = { https: undefined, http: undefined, except: "" };
  return { endpoint: hub.endpoint, token, cacheFolder, offline: false, proxy };
}

/** Names of blobs and URL files in a cache that are not what their name or record says. */
export async function wrongFiles(cache: string): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const entry of await readdir(cache, { recursive: true }).catch(() => [])) {
    const path = join(cache, entry);
    if (!/\/blobs\/[0-9a-f]+$/.test(path) || !(await stat(path)).isFile()) continue;
    const content = await readFile(path);
    const name = basename(path);
    const digest = name.length === 64 ? createHash("sha256").update(content).digest("hex") : gitSha1(content);
    if (digest !== name) wrong.push(entry);
  }
  return wrong;
}
