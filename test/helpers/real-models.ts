// Real models that `npm run models:real` fetches. Tests that need one are skipped where it
// is missing, under a name that says how to get it.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";

const root = new URL("../../", import.meta.url);

/** Files by the names that tests use; tools/real-models/catalogue.mjs pins them. */
const files = {
  smollm2: "SmolLM2-135M-Instruct.Q4_1.gguf",
  gemma3: "gemma-3-270m-q4_k_m.gguf",
} as const;

export type RealModel = keyof typeof files;

/** What tools/real-models/record.py recorded of a model. */
export interface Reference {
  /** Mean distance of llama-server's log probabilities from those of `top`, by processor(). */
  readonly llamaDistance: Readonly<Record<string, number>>;
  /** Of each prompt, the likeliest first tokens: id and log probability, computed in F32. */
  readonly top: readonly (readonly (readonly [token: number, logProb: number])[])[];
  /** Of each text of llama.cpp's tokenizer tests: llama-server's ids, without and with special tokens. */
  readonly vectors: readonly (readonly [readonly number[], readonly number[]])[];
}

/** The path of a real model's file; it exists only inside describeReal(). */
export function realModelPath(name: RealModel): string {
  return fileURLToPath(new URL(`.build/real-models/${files[name]}`, root));
}

/** A suite over a real model, skipped by name where its file is missing. */
export function describeReal(name: RealModel, suite: () => void): void {
  if (existsSync(realModelPath(name))) describe(name, suite);
  else describe.skip(`${name} is missing: npm run models:real`, suite);
}

/** The instructions that llama.cpp's rounding depends on; tools/real-models/record.py names them alike. */
export function processor(): string {
  const flags = new Set(readFileSync("/proc/cpuinfo", "utf8").split(/\s+/));
  if (flags.has("amx_int8")) return "amx";
  if (flags.has("avx512_vnni")) return "avx512-vnni";
  return flags.has("avx2") ? "avx2" : "other";
}

export function referenceOf(name: RealModel): Reference {
  const file = new URL(`test/real-models/references/${name}.json`, root);
  return JSON.parse(readFileSync(file, "utf8")) as Reference;
}

/** A text of the pinned llama.cpp sources. */
export function pinnedText(file: string): string {
  return readFileSync(new URL(`third_party/.sources/llama.cpp/${file}`, root), "utf8");
}

/** The prompts whose answers were recorded: the first `tokens` tokens from `at` on. */
export interface RecordedPrompt {
  readonly file: string;
  readonly at: number;
  readonly tokens: number;
}

export function recordedPrompts(): readonly RecordedPrompt[] {
  const file = new URL("test/real-models/prompts.json", root);
  return JSON.parse(readFileSync(file, "utf8")) as RecordedPrompt[];
}
