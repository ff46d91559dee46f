// GPUs of the table by the names that people and drivers give them: "RTX 4090", "NVIDIA GeForce
// RTX 4090", "NVIDIA A100-SXM4-80GB". Pure.
import { type GpuFacts, gpus } from "./gpus.js";

const brands: ReadonlySet<string> = new Set(["nvidia", "geforce", "tesla"]);

/**
 * The GPU of that name; of a family whose members the name does not tell apart ("H100"), the first
 * one if all have the same price.
 * @returns undefined where the table has none
 */
export function gpuNamed(name: string): GpuFacts | undefined {
  const words = wordsOf(name);
  const begins = gpus.filter((gpu) => wordsOf(gpu.name).every((word, index) => words[index] === word));
  const longest = begins.sort((left, right) => wordsOf(right.name).length - wordsOf(left.name).length)[0];
  if (longest !== undefined) return longest;
  // A100, H100 and L40S name a chip; RTX names none, and an RTX 6000 is of three generations.
  const chip = /\d/.test(words[0] ?? "") ? words[0] : undefined;
  const family = gpus.filter((gpu) => wordsOf(gpu.name)[0] === chip);
  return new Set(family.map(({ dollarsPerSecond }) => dollarsPerSecond)).size === 1 ? family[0] : undefined;
}

function wordsOf(name: string): readonly string[] {
  return name
    .toLowerCase()
    .replace(/\b(rtx|gtx)(?=\d)/g, "$1 ")
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "" && !brands.has(word));
}
