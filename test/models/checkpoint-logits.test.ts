// What loaded checkpoints compute, against transformers' F32 computation of the same
// dequantised weights, recorded by tools/checkpoints/logits.py. Without flash attention, with
// an F32 cache and F32 weights nothing but the order of sums differs.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Engine, loadModel } from "../../src/index.js";
import { canGenerate, generateCheckpoints } from "../helpers/generated-checkpoints.js";

const timeout = 60_000;
const fixtures = new URL("../fixtures/checkpoints/", import.meta.url);
const told = 20;
const largestError = 1e-5; // root mean square, relative to that of the logits

interface Recorded {
  readonly prompts: readonly (readonly number[])[];
  /** After each prompt: one logit a token, F32 in base64. */
  readonly logits: readonly string[];
}
const recordedIn = (file: URL) =>
  JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, Recorded>>;
const makers = recordedIn(new URL("logits.json", fixtures));
const generated = recordedIn(new URL("generated-logits.json", import.meta.url));

describe("a checkpoint computes what transformers computes in F32", () => {
  it.each(Object.entries(makers))("%s", { timeout }, async (name, recorded) => {
    await judge(fileURLToPath(new URL(name, fixtures)), recorded);
  });
});

const title = canGenerate ? "generated" : "generated: python3 is missing";

describe.skipIf(!canGenerate)(`${title}: and so do all architectures, rope scalings and biases`, () => {
  let folder: string;
  let sources: readonly string[];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "infernode-logits-"));
    sources = generateCheckpoints(Object.keys(generated), folder);
  }, timeout);
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(Object.keys(generated).map((each, place) => [each, place] as const))(
    "%s",
    { timeout },
    async (each, place) => {
      await judge(sources[place] ?? "", generated[each] ?? { prompts: [], logits: [] });
    },
  );
});

async function judge(source: string, { prompts, logits }: Recorded): Promise<void> {
  const model = await loadModel(source, { checkpoint: { profile: "f32", cache: false } });
  const engine = await model.createEngine({
    slots: 1,
    contextLength: 256,
    kvType: "f32",
    flashAttention: false,
  });
  const errors: number[] = [];
  for (const [place, prompt] of prompts.entries())
    errors.push(relativeError(await likeliest(engine, prompt), numbersOf(logits[place] ?? "")));
  await engine.close();
  await model.close();
  expect(errors).toHaveLength(4);
  for (const error of errors) expect(error).toBeLessThan(largestError);
}

async function likeliest(engine: Engine, prompt: readonly number[]) {
  const request = { prompt, maxTokens: 1, ignoreEos: true, temperature: 0, cache: false, logProbs: told };
  const { logProbs } = await engine.generate(request);
  return logProbs?.[0]?.top ?? [];
}

function numbersOf(text: string): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
}

/** Of the log probabilities that were told; log probabilities differ as logits do. */
function relativeError(
  found: readonly { readonly token: number; readonly logProb: number }[],
  logits: Float32Array,
): number {
  expect(found).toHaveLength(told);
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  const normalizer = largest + Math.log(sum);
  const squares = found.map(
    ({ token, logProb }) => ((logits[token] ?? Number.NaN) - normalizer - logProb) ** 2,
  );
  const size = Math.sqrt(logits.reduce((total, logit) => total + logit ** 2, 0) / logits.length);
  return Math.sqrt(squares.reduce((total, square) => total + square, 0) / squares.length) / size;
}
