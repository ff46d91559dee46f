// The caches that the commands list, verify and prune: the hub's, as the environment names
// it, and the worker's on a network volume where there is one.
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { Option } from "commander";
import { type CacheInventory, readCache } from "../models/cache-inventory.js";
import { kindOf } from "../models/folder-files.js";
import { hubSettings } from "../models/hub-environment.js";

/** `--cache-folder`, in place of the environment's. */
export function cacheFolderFlag(): Option {
  return new Option(
    "--cache-folder <folder>",
    "a cache of the hub (default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub; and a network volume's)",
  );
}

/** Reads them; a folder that two names lead to is read once. */
export function readCaches(given: string | undefined): readonly CacheInventory[] {
  const volume = process.env.BASE_PATH || "/runpod-volume";
  const folders =
    given === undefined
      ? [hubSettings().cacheFolder, `${volume}/huggingface-cache/hub`, `${volume}/models`]
      : [given];
  const there = folders.filter((folder) => kindOf(folder) === "folder").map((folder) => realpathSync(folder));
  return [...new Set(there)].map(readCache);
}

/** Where models would be, for a sentence about there being none. */
export function cacheFolderName(given: string | undefined): string {
  return resolve(given ?? hubSettings().cacheFolder);
}
