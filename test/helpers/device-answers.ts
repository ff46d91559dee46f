// Greedy answers of a device beside the CPU's. Devices round differently, so two answers are
// alike when their log probabilities are, token by token, up to the first place where two
// tokens are so close that the rounding decides.
import { expect } from "vitest";
import type { EngineOptions, GeneratedLogProb, GenerateOptions, ModelOptions } from "../../src/index.js";
import { runFixture } from "./programs.js";
import { cpuAlone, patience } from "./software-device.js";

/**
 * By how much a natural log probability may differ between the device and the CPU. The CPU
 * rounds activations to 8 bits per value before it multiplies them with Q8_0 weights, the
 * device multiplies in floating point: a relative error near 1/256 in each of a few layers,
 * which is some hundredths of a logit where logits are around 10. A wrong layer, position or
 * cell changes log probabilities by whole units. Measured in placement.test.ts: 0.009 at most.
 */
export const rounding = 0.1;

/** Of a greedy generation with `logProbs`. */
export interface Answer {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly logProbs?: readonly GeneratedLogProb[];
}

/** What test/fixtures/programs/answers.mjs computes. */
export interface Job {
  readonly model?: string;
  readonly modelOptions?: ModelOptions;
  readonly engineOptions?: EngineOptions;
  readonly requests?: readonly (GenerateOptions & { readonly prompt: string | readonly number[] })[];
  readonly embed?: readonly string[];
  readonly state?: string;
}

export interface JobResult {
  readonly answers: readonly (Answer & {
    readonly usage: { readonly promptTokens: number; readonly cachedPromptTokens: number };
  })[];
  readonly embeddings: readonly (readonly number[])[];
}

/** The jobs' results on the CPU, in a process that has no other device. */
export async function onCpu(jobs: readonly Job[]): Promise<readonly JobResult[]> {
  const { code, signal, stdout, stderr } = await runFixture("answers.mjs", {
    input: JSON.stringify(jobs),
    env: cpuAlone,
    deadlineMs: patience.timeout,
  });
  if (code !== 0) throw new Error(`answers.mjs ended with ${code ?? signal}: ${stderr}`);
  return JSON.parse(stdout) as readonly JobResult[];
}

/**
 * Expects the device's answer to be the CPU's: the log probabilities of common tokens differ
 * by `bound` at most; where the tokens part, each side sees the other's token within twice the
 * bound, which is how far apart two tokens can be and still change places.
 * @returns tokens that both have before they part
 */
export function expectAlike(device: Answer, cpu: Answer, bound: number): number {
  expect(device.tokens).toHaveLength(cpu.tokens.length);
  const [ours, theirs] = [device.logProbs ?? [], cpu.logProbs ?? []];
  expect(theirs).toHaveLength(cpu.tokens.length);
  for (const [index, expected] of theirs.entries()) {
    const found = ours[index];
    if (found === undefined) throw new Error(`the device gave no log probability of token ${index}`);
    if (found.token !== expected.token) {
      expect(gap(found, expected.token), `token ${index} on the device`).toBeLessThanOrEqual(2 * bound);
      expect(gap(expected, found.token), `token ${index} on the CPU`).toBeLessThanOrEqual(2 * bound);
      return index;
    }
    const difference = Math.abs(found.logProb - expected.logProb);
    expect(difference, `log probability of token ${index}`).toBeLessThanOrEqual(bound);
  }
  return theirs.length;
}

/** How much likelier the chosen token was than `other`. */
function gap(chosen: GeneratedLogProb, other: number): number {
  const found = chosen.top.find(({ token }) => token === other);
  return found === undefined ? Number.POSITIVE_INFINITY : chosen.logProb - found.logProb;
}
