// `infernode list`: the models in the caches, each with what to type to use it.
import { Command } from "commander";
import { cachedModels } from "../models/cached-models.js";
import { cacheFolderFlag, cacheFolderName, readCaches } from "./cache-folders.js";
import { ago, bytes, table } from "./format.js";
import { notice } from "./terminal.js";

interface Flags {
  readonly cacheFolder?: string;
  readonly json?: boolean;
}

/** The command. */
export function listCommand(): Command {
  return new Command("list")
    .alias("ls")
    .description("list the downloaded models, with the references to type")
    .addOption(cacheFolderFlag())
    .option("--json", "print one line of JSON instead")
    .action(list);
}

function list({ cacheFolder, json }: Flags): void {
  const caches = readCaches(cacheFolder);
  const models = caches.flatMap((cache) =>
    cachedModels(cache).map(({ contents: _, usedMs, ...model }) => ({
      ...model,
      usedMs,
      cache: cache.folder,
    })),
  );
  if (json) {
    const told = models.map(({ usedMs, ...model }) => ({
      ...model,
      lastUsed: new Date(usedMs).toISOString(),
    }));
    process.stdout.write(`${JSON.stringify(told)}\n`);
    return;
  }
  if (models.length === 0) {
    notice(`no models in ${cacheFolderName(cacheFolder)}; infernode pull hf:owner/name fetches one`);
    return;
  }
  const now = Date.now();
  const rows = models.map(({ reference, type, bytes: size, usedMs, cache }) => [
    ...[reference, type, bytes(size), ago(now - usedMs), cache],
  ]);
  process.stdout.write(`${table([["REFERENCE", "TYPE", "SIZE", "LAST USED", "CACHE"], ...rows])}\n`);
}
