// Lengths of prompts and answers in tokens: a fixed number or a distribution, as the command
// line spells them.
import type { Random } from "./random.js";

/** A number of tokens, or how it is drawn for each request. */
export type Lengths =
  | { readonly type: "fixed"; readonly tokens: number }
  | { readonly type: "uniform"; readonly least: number; readonly most: number }
  | { readonly type: "normal" | "lognormal"; readonly mean: number; readonly deviation: number };

/** No request is longer: a mistyped length ends in a sentence and not in a full disk or memory. */
const mostTokens = 2 ** 20;

/** The spellings, for sentences. */
export const lengthForms = "128, uniform:64,256, normal:128,32 or lognormal:128,64 (at most 1048576 tokens)";

/** @returns undefined where the text is no length */
export function parseLengths(text: string): Lengths | undefined {
  if (/^\d+$/.test(text)) return inRange(Number(text)) ? { type: "fixed", tokens: Number(text) } : undefined;
  const [, type, ...digits] = /^(uniform|normal|lognormal):(\d+),(\d+)$/.exec(text) ?? [];
  const [first = 0, second = 0] = digits.map(Number);
  if (!inRange(first) || second > mostTokens) return undefined;
  if (type === "uniform") return first <= second ? { type, least: first, most: second } : undefined;
  return type === "normal" || type === "lognormal" ? { type, mean: first, deviation: second } : undefined;
}

function inRange(tokens: number): boolean {
  return tokens >= 1 && tokens <= mostTokens;
}

/** One length, at least 1. Draws of normal distributions end four deviations above the mean. */
export function drawLength(lengths: Lengths, random: Random): number {
  switch (lengths.type) {
    case "fixed":
      return lengths.tokens;
    case "uniform":
      return random.integer(lengths.least, lengths.most);
    case "normal":
      return clipped(lengths.mean + lengths.deviation * random.normal(), longest(lengths));
    case "lognormal": {
      // Mean and deviation are those of the lengths, not of their logarithms.
      const variance = Math.log(1 + (lengths.deviation / lengths.mean) ** 2);
      const centre = Math.log(lengths.mean) - variance / 2;
      return clipped(Math.exp(centre + Math.sqrt(variance) * random.normal()), longest(lengths));
    }
  }
}

/** The greatest length that drawLength() returns. */
export function longest(lengths: Lengths): number {
  if (lengths.type === "fixed") return lengths.tokens;
  if (lengths.type === "uniform") return lengths.most;
  return Math.min(lengths.mean + 4 * lengths.deviation, mostTokens);
}

function clipped(value: number, most: number): number {
  return Math.min(Math.max(1, Math.round(value)), most);
}
