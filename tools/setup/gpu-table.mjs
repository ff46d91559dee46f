// The product's table of GPUs (src/models/plan/gpus.ts) for the set-up, which finds a GPU in it
// by the name that a person or the driver gives it. Read from dist/, where the build puts it.
import { existsSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { SetupFailure } from "./failure.mjs";
import { paths, shown } from "./paths.mjs";

const kBrands = new Set(["nvidia", "geforce", "tesla"]);
const kNearest = 3;

// Resolves to rows with at least { name, capability }.
export async function gpuTable() {
  const file = path.join(paths.dist, "gpus.js");
  if (!existsSync(file))
    throw new SetupFailure(`the table of GPUs, ${shown(file)}, is made by \`npm run build\`; run it first.`);
  return (await import(pathToFileURL(file).href)).gpus;
}

// The row of the GPU `name`: written out ("RTX 4090"), as the driver has it ("NVIDIA GeForce RTX
// 4090", "NVIDIA A100-SXM4-80GB"), or a family of one architecture ("A100"). Where there is none,
// throws a `Failure` that lists near ones.
export function gpuNamed(name, table, Failure) {
  const words = wordsOf(name);
  const begins = table.filter((row) => wordsOf(row.name).every((word, index) => words[index] === word));
  const longest = begins.sort((left, right) => wordsOf(right.name).length - wordsOf(left.name).length)[0];
  if (longest !== undefined) return longest;
  // A100, H100, L40S name a chip; RTX names none, and an RTX 6000 is of three generations.
  const family = table.filter((row) => /\d/.test(words[0] ?? "") && wordsOf(row.name)[0] === words[0]);
  const capabilities = new Set(family.map(({ capability }) => capability));
  if (capabilities.size === 1) return family[0];
  throw new Failure(
    `"${name}" is no GPU of infernode's table; near ones are ${nearest(name, table).join(", ")}. ` +
      "Name one of these, or its architecture with --arch.",
  );
}

function wordsOf(name) {
  return name
    .toLowerCase()
    .replace(/\b(rtx|gtx)(?=\d)/g, "$1 ")
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "" && !kBrands.has(word));
}

// By the pairs of neighbouring characters that two names share.
function nearest(name, table) {
  const wanted = pairsOf(name);
  const shared = (row) => {
    const pairs = pairsOf(row.name);
    return (2 * [...pairs].filter((pair) => wanted.has(pair)).length) / (pairs.size + wanted.size);
  };
  const scored = table.map((row) => ({ name: row.name, score: shared(row) }));
  scored.sort((left, right) => right.score - left.score);
  return scored.slice(0, kNearest).map((row) => row.name);
}

function pairsOf(name) {
  const text = ` ${wordsOf(name).join(" ")} `;
  return new Set(Array.from({ length: text.length - 1 }, (_, at) => text.slice(at, at + 2)));
}
