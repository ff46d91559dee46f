// What the model says at temperature 0, alone: a digest that is the same for two runs of the same
// model, so that a faster run with other answers does not pass for a faster run.
import { createHash } from "node:crypto";
import { type Target, TargetFailure } from "./target.js";
import { Workload, type WorkloadOptions } from "./workload.js";

/** The digest and what it was made of. */
export interface GreedyDigest {
  /** SHA-256 of the JSON array of the answers' texts, hexadecimal. */
  readonly sha256: string;
  readonly prompts: number;
  readonly outputTokens: number;
}

const prompts = 4;
const outputTokens = 24;
const plain: WorkloadOptions = {
  promptTokens: { type: "fixed", tokens: 32 },
  outputTokens: { type: "fixed", tokens: outputTokens },
  ...{ sharedPrefix: 0, temperature: 0, prompts: undefined, trace: undefined, cancelRate: 0 },
};

/**
 * Asks one request after the other; also the first proof that the target answers at all.
 * @returns null at the signal
 * @throws TargetFailure (rejects) where a request fails
 */
export async function greedyDigest(target: Target, signal: AbortSignal): Promise<GreedyDigest | null> {
  const workload = new Workload(plain, target.sizer, "greedy digest");
  const texts: string[] = [];
  for (let asked = 0; asked < prompts; asked += 1) {
    const { outcome, text } = await target.run(workload.next(), { arrived: () => {} }, signal);
    if (outcome.type === "cancelled") return null;
    if (outcome.type === "failed")
      throw new TargetFailure(`the first request failed (${outcome.errorClass}): ${outcome.sentence}`);
    texts.push(text);
  }
  const sha256 = createHash("sha256").update(JSON.stringify(texts)).digest("hex");
  return { sha256, prompts, outputTokens };
}
