// `infernode cache ls|prune|verify`: what the caches hold, what of it may go, and whether it
// is what it was. prune shows its plan and asks before anything is removed.
import { createInterface } from "node:readline/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import type { CachedRepository, CacheInventory } from "../models/cache-inventory.js";
import { applyPrune, planPrune } from "../models/cache-prune.js";
import { verifyFiles } from "../models/cache-verify.js";
import type { ConvertedFile } from "../models/converted-files.js";
import { cacheFolderFlag, cacheFolderName, readCaches } from "./cache-folders.js";
import { ago, bytes, table } from "./format.js";
import { exitCodes, listenForInterruption, notice } from "./terminal.js";

interface Flags {
  readonly cacheFolder?: string;
  readonly json?: boolean;
}
type PruneFlags = Flags & {
  readonly all?: boolean;
  readonly olderThan?: number;
  readonly maxSize?: number;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
};

/** The command. */
export function cacheCommand(): Command {
  const command = new Command("cache").description("look into, verify and prune the caches of models");
  const json = () => new Option("--json", "print one line of JSON instead");
  command
    .command("ls")
    .description("list the repositories in the caches")
    .addOption(cacheFolderFlag())
    .addOption(json())
    .action(list);
  command
    .command("verify")
    .description("compute the digests of all files anew; exit code 1 where one is broken")
    .addOption(cacheFolderFlag())
    .addOption(json())
    .action(async (flags: Flags) => {
      process.exitCode = await verify(flags);
    });
  command
    .command("prune")
    .description("remove what no revision has, unfinished downloads, and models by age or size")
    .option("--older-than <time>", "also models not used for this time: 12h, 30d, 8w", parseTime)
    .option("--max-size <size>", "also models not used for longest, until this size: 50GB, 20GiB", parseSize)
    .option("--all", "also what other programs fetched, such as Python's; default: what infernode fetched")
    .option("--dry-run", "only show what would be removed")
    .option("-y, --yes", "remove without asking")
    .addOption(cacheFolderFlag())
    .addOption(json())
    .action(async (flags: PruneFlags) => {
      process.exitCode = await prune(flags);
    });
  return command;
}

function summary(
  cache: CacheInventory,
  { repository, folder, snapshots, blobs, partials }: CachedRepository,
) {
  const files = snapshots.flatMap((snapshot) => snapshot.files);
  const sum = (of: readonly { readonly bytes: number }[]) =>
    of.reduce((total, each) => total + each.bytes, 0);
  const contents = new Map(files.map((file) => [file.content, file]));
  const unreferenced = blobs.filter(({ isReferenced }) => !isReferenced);
  const fetched = sum(blobs.filter(({ isOurs }) => isOurs));
  return {
    ...{ repository, folder, cache: cache.folder },
    revisions: snapshots.map(({ commit, revisions }) => ({ commit, revisions })),
    files: contents.size,
    bytes: sum([...contents.values(), ...unreferenced, ...partials]),
    fetchedBytes: fetched,
    unreferencedBytes: sum(unreferenced),
    unfinishedBytes: sum(partials),
    lastUsedMs: Math.max(0, ...files.map(({ usedMs }) => usedMs)),
  };
}

function list({ cacheFolder, json }: Flags): void {
  const caches = readCaches(cacheFolder);
  const repositories = caches.flatMap((cache) => cache.repositories.map((each) => summary(cache, each)));
  const addresses = caches.flatMap(({ addresses: all }) => all);
  const converted = caches.flatMap(({ converted: all }) => all);
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ repositories, addresses, converted: converted.map(convertedSummary) })}\n`,
    );
    return;
  }
  if (repositories.length + addresses.length + converted.length === 0) {
    notice(`nothing in ${cacheFolderName(cacheFolder)}`);
    return;
  }
  const now = Date.now();
  const used = (ms: number) => (ms === 0 ? "-" : ago(now - ms));
  const rows = repositories.map((each) => [
    each.repository,
    each.revisions.map(({ commit, revisions }) => revisions[0] ?? commit.slice(0, 7)).join(" ") || "-",
    ...[String(each.files), bytes(each.bytes), bytes(each.fetchedBytes)],
    ...[bytes(each.unreferencedBytes + each.unfinishedBytes), used(each.lastUsedMs), each.cache],
  ]);
  const fetched = addresses.map(({ address, bytes: size, usedMs, folder }) => [
    ...[address, "-", "1", bytes(size), bytes(size), "0 B", used(usedMs), folder],
  ]);
  const packed = converted.map((file) => {
    const { source, bytes: size, usedMs, path } = convertedSummary(file);
    const unused = source === null ? size : 0;
    return [
      `${source ?? "?"} (converted)`,
      "-",
      "1",
      bytes(size),
      bytes(size),
      bytes(unused),
      used(usedMs),
      path,
    ];
  });
  const heads = ["REPOSITORY", "REVISIONS", "FILES", "SIZE", "BY INFERNODE", "UNUSED", "LAST USED", "CACHE"];
  process.stdout.write(`${table([heads, ...rows, ...fetched, ...packed])}\n`);
}

/** source: null where its record is missing, so that no load uses it. */
function convertedSummary({ path, bytes: size, usedMs, record }: ConvertedFile) {
  return { path, source: record?.source ?? null, bytes: size, usedMs, key: record?.key ?? null };
}

async function verify({ cacheFolder, json }: Flags): Promise<number> {
  const interruption = listenForInterruption();
  try {
    const shows = process.stderr.isTTY && !json;
    const result = await verifyFiles(readCaches(cacheFolder), interruption.signal, (file) => {
      if (shows) process.stderr.write(`\r\x1b[Kverifying ${file.owner} (${bytes(file.bytes)})`);
    });
    if (shows) process.stderr.write("\r\x1b[K");
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else process.stdout.write(verificationText(result));
    return result.broken.length === 0 ? exitCodes.ok : exitCodes.failure;
  } catch (thrown) {
    if (interruption.interrupted()) return exitCodes.interrupted;
    throw thrown;
  } finally {
    interruption.stop();
  }
}

function verificationText({
  verified,
  verifiedBytes,
  broken,
  undigested,
}: Awaited<ReturnType<typeof verifyFiles>>) {
  const lines = broken.map(({ owner, path, found, isConverted }) => {
    if (isConverted && found === undefined)
      return `broken: ${path} of ${owner} (no whole file of its key); the next load writes it again`;
    const problem = found === undefined ? "cannot be read" : `its digest is ${found}`;
    const remedy = isConverted ? "the next load writes it again" : "pull again";
    return `broken: ${path} of ${owner} (${problem}); delete it and ${remedy}`;
  });
  const rest = undigested === 0 ? "" : `, ${undigested} without a digest not verified`;
  lines.push(`${verified} files verified (${bytes(verifiedBytes)}), ${broken.length} broken${rest}`);
  return `${lines.join("\n")}\n`;
}

async function prune(flags: PruneFlags): Promise<number> {
  const { all = false, olderThan, maxSize, json, dryRun, yes } = flags;
  const nowMs = Date.now();
  const unusedSinceMs = olderThan === undefined ? undefined : nowMs - olderThan;
  const plans = readCaches(flags.cacheFolder).map((cache) => {
    return { cache, plan: planPrune(cache, { all, unusedSinceMs, maxBytes: maxSize, nowMs }) };
  });
  const removals = plans.flatMap(({ plan }) => plan.removals);
  const total = removals.reduce((sum, each) => sum + each.bytes, 0);
  const foreign = plans.reduce((sum, { plan }) => sum + plan.foreignBytes, 0);
  if (!json) tellPlan(removals, foreign);
  const isAgreed = removals.length > 0 && !dryRun && (yes || (!json && (await isConfirmed(total))));
  if (isAgreed) for (const { cache, plan } of plans) await applyPrune(cache, plan);
  if (json) {
    const told = removals.map(({ what, why, bytes: size }) => ({ what, why, bytes: size }));
    process.stdout.write(`${JSON.stringify({ removed: isAgreed, bytes: total, removals: told })}\n`);
  } else if (isAgreed) process.stdout.write(`removed ${bytes(total)}\n`);
  else if (removals.length > 0) process.stdout.write("nothing was removed; --yes removes it\n");
  return exitCodes.ok;
}

function tellPlan(removals: readonly { what: string; why: string; bytes: number }[], foreign: number): void {
  const rows = removals.map(({ what, why, bytes: size }) => [what, bytes(size), why]);
  process.stdout.write(rows.length === 0 ? "nothing to remove\n" : `${table(rows)}\n`);
  if (foreign > 0) notice(`${bytes(foreign)} more were fetched by other programs; --all removes them, too`);
}

/** Asks a person; where there is none, the answer is no. */
async function isConfirmed(total: number): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(?:es)?$/i.test((await lines.question(`Remove ${bytes(total)}? [y/N] `)).trim());
  } finally {
    lines.close();
  }
}

const hourMs = 3600_000;
const timeUnits: Readonly<Record<string, number>> = { h: hourMs, d: 24 * hourMs, w: 7 * 24 * hourMs };

function parseTime(text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)([hdw])$/i.exec(text) ?? [];
  const factor = timeUnits[unit?.toLowerCase() ?? ""];
  if (factor === undefined) throw new InvalidArgumentError("Expected a time such as 12h, 30d or 8w.");
  return Number(count) * factor;
}

function parseSize(text: string): number {
  const [, count, prefix = "", binary] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError("Expected a size such as 50GB or 20GiB.");
  const power = ["", "k", "m", "g", "t"].indexOf(prefix.toLowerCase());
  return Number(count) * (binary === "" ? 1000 : 1024) ** power;
}
