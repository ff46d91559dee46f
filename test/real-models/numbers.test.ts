// The judge of our numbers on real weights: an F32 computation of the same dequantised
// weights by transformers, recorded once (tools/real-models/record.py). llama.cpp's own
// distance from it, recorded beside it, is what rounding of activations costs.
import { expect, it } from "vitest";
import type { Engine } from "../../src/index.js";
import { loadModel } from "../../src/index.js";
import {
  describeReal,
  pinnedText,
  processor,
  type RealModel,
  type RecordedPrompt,
  realModelPath,
  recordedPrompts,
  referenceOf,
} from "../helpers/real-models.js";

const textPerToken = 8;
const textBeside = 64;
const likeliestTold = 20;
const minutes = 60_000;

for (const name of ["smollm2", "gemma3"] as const satisfies readonly RealModel[]) {
  describeReal(name, () => {
    const { llamaDistance, top } = referenceOf(name);
    const theirs = llamaDistance[processor()];
    const title = "is at most 1.1 times as far from F32 as llama.cpp";
    const unknown = `${title}: record.py has not run on a processor with ${processor()}`;
    const judged = theirs === undefined ? it.skip : it;
    judged(theirs === undefined ? unknown : title, { timeout: 10 * minutes }, async () => {
      const model = await loadModel(realModelPath(name));
      const engine = await model.createEngine({ slots: 4, contextLength: 2048 });
      const distances = await Promise.all(
        recordedPrompts().map(async (prompt, index) => {
          const told = await likeliest(engine, await idsOf(model, prompt));
          return distance(top[index] ?? [], told);
        }),
      );
      await engine.close();
      await model.close();
      expect(distances).toHaveLength(top.length);
      expect(mean(distances) / (theirs ?? 0)).toBeLessThan(1.1);
    });
  });
}

type Tokenizer = Pick<Awaited<ReturnType<typeof loadModel>>, "tokenize">;

async function idsOf(model: Tokenizer, { file, at, tokens }: RecordedPrompt): Promise<readonly number[]> {
  const characters = [...pinnedText(file)].slice(at, at + textPerToken * tokens + textBeside);
  return [...model.tokenize(characters.join(""))].slice(0, tokens);
}

/** Log probabilities of the likeliest first tokens. */
async function likeliest(engine: Engine, prompt: readonly number[]): Promise<ReadonlyMap<number, number>> {
  const { logProbs } = await engine.generate({
    prompt,
    maxTokens: 1,
    ignoreEos: true,
    temperature: 0,
    cache: false,
    logProbs: likeliestTold,
  });
  return new Map(logProbs?.[0]?.top.map(({ token, logProb }) => [token, logProb]));
}

/** Root mean square over the reference's tokens that are among those told. */
function distance(
  reference: readonly (readonly [number, number])[],
  told: ReadonlyMap<number, number>,
): number {
  const squares = reference
    .filter(([token]) => told.has(token))
    .map(([token, value]) => (value - (told.get(token) ?? Number.NaN)) ** 2);
  return Math.sqrt(mean(squares));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
