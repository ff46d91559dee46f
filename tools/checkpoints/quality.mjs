// What packing costs in quality: the loss per token of a held-out text under GGUF files of
// one checkpoint, each less the loss of the first file (the bit-exact Q8_0), with a paired
// 95 % interval. Windows of 256 tokens are the pairs: tokens of one window hang together.
//
//   node tools/checkpoints/quality.mjs --text FILE [--tokens N] NAME=FILE.gguf NAME=FILE.gguf ...
//   node tools/checkpoints/quality.mjs --embedded-text FILE     # writes stories for the embedded model
//   node tools/checkpoints/quality.mjs --documents-text FILE    # writes this repository's documents
//
// FILE.losses instead of FILE.gguf: what the program printed of that file before.
// The files are made by `infernode convert DIR --profile P --out FILE`, the rival by llama-quantize
// of the f32 profile. Needs the program token_losses_bench
// (cmake --build .build/release --target token_losses_bench).
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { corpus } from "../embedded-model/corpus.mjs";

const root = path.resolve(fileURLToPath(import.meta.url), "../../..");
const program = path.join(root, ".build/release/bin/token_losses_bench");

/** A seed that the training corpus does not have. */
const heldOutSeed = 77;
const heldOutStories = 1600;

/** Of the difference of two files' losses; the bar is that the interval lies inside ±0.002. */
export const bar = 0.002;

/** @param {string} file @param {string} text @param {number} tokens @returns {number[][]} by window */
function lossesOf(file, text, tokens) {
  if (file.endsWith(".losses")) return parsed(readFileSync(file, "utf8"));
  return parsed(
    execFileSync(program, [file, text, String(tokens)], { encoding: "utf8", maxBuffer: 1 << 28 }),
  );
}

/** @param {string} lines what the program prints */
function parsed(lines) {
  return lines
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number));
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

/** @param {number[][]} losses @returns {number} per token */
export function meanLoss(losses) {
  return sum(losses.map(sum)) / sum(losses.map((window) => window.length));
}

/**
 * The mean difference per token and its paired 95 % interval.
 * @param {number[][]} losses @param {number[][]} others of the same windows
 * @returns {{ mean: number, low: number, high: number }}
 */
export function pairedDifference(losses, others) {
  if (losses.length !== others.length || losses.length < 30) {
    throw new Error(`expected 30 or more windows of both files, got ${losses.length} and ${others.length}`);
  }
  const differences = losses.map((window, index) => (sum(window) - sum(others[index] ?? [])) / window.length);
  const mean = sum(differences) / differences.length;
  const variance = sum(differences.map((one) => (one - mean) ** 2)) / (differences.length - 1);
  // Student's t of 30 and more degrees of freedom, within 0.2 %.
  const freedom = differences.length - 1;
  const quantile = 1.96 + 2.37 / freedom + 2.8 / freedom ** 2;
  const half = quantile * Math.sqrt(variance / differences.length);
  return { mean, low: mean - half, high: mean + half };
}

/**
 * The root mean square of a token's difference: how far from the checkpoint's own predictions,
 * for better or worse.
 * @param {number[][]} losses @param {number[][]} others of the same windows
 */
export function distance(losses, others) {
  const flat = others.flat();
  const squares = losses.flat().map((loss, index) => (loss - (flat[index] ?? Number.NaN)) ** 2);
  return Math.sqrt(sum(squares) / squares.length);
}

/** @param {{ low: number, high: number }} interval @param {{ low: number, high: number }} rival */
export function verdict(interval, rival) {
  if (interval.high < rival.low) return "a lower loss";
  if (interval.low > rival.high) return "a higher loss";
  return "no difference";
}

function embeddedText() {
  const stories = [...corpus(heldOutStories, heldOutSeed)].map((document) =>
    "story" in document ? document.story : "",
  );
  return stories.filter(Boolean).join("\n");
}

function documentsText() {
  const folders = ["docs/guides", "docs/decisions"].flatMap((folder) =>
    readdirSync(path.join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .sort()
      .map((name) => path.join(folder, name)),
  );
  return ["README.md", ...folders].map((file) => readFileSync(path.join(root, file), "utf8")).join("\n");
}

/** @param {string[]} files @param {string} text @param {number} tokens */
function compare(files, text, tokens) {
  const measured = files.map((entry) => {
    const [name, file] = entry.split("=", 2);
    if (!name || !file) throw new Error(`expected NAME=FILE.gguf, got "${entry}"`);
    return { name, losses: lossesOf(file, text, tokens) };
  });
  const [reference, ...others] = measured;
  if (reference === undefined || others.length === 0) throw new Error("expected two files or more");
  const counted = sum(reference.losses.map((window) => window.length));
  console.log(
    `${counted} tokens in ${reference.losses.length} windows; ${reference.name}: ${meanLoss(reference.losses).toFixed(4)} nats per token`,
  );
  console.log(
    "| file | loss less the reference's | paired 95 % interval | inside ±0.002 | a token's difference, rms |\n|---|---|---|---|---|",
  );
  const intervals = others.map(({ name, losses }) => ({
    name,
    far: distance(losses, reference.losses),
    ...pairedDifference(losses, reference.losses),
  }));
  for (const { name, mean, low, high, far } of intervals) {
    const inside = low > -bar && high < bar ? "yes" : "no";
    console.log(
      `| ${name} | ${mean.toFixed(5)} | ${low.toFixed(5)} to ${high.toFixed(5)} | ${inside} | ${far.toFixed(4)} |`,
    );
  }
  const ours = intervals.filter(({ name }) => !name.startsWith("rival"));
  for (const rival of intervals.filter(({ name }) => name.startsWith("rival"))) {
    for (const one of ours) console.log(`${one.name} beside ${rival.name}: ${verdict(one, rival)}`);
  }
}

function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      text: { type: "string" },
      tokens: { type: "string", default: "20400" },
      "embedded-text": { type: "string" },
      "documents-text": { type: "string" },
    },
  });
  if (values["embedded-text"]) return writeFileSync(values["embedded-text"], embeddedText());
  if (values["documents-text"]) return writeFileSync(values["documents-text"], documentsText());
  if (!values.text) throw new Error("expected --text FILE");
  compare(positionals, values.text, Number(values.tokens));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main();
