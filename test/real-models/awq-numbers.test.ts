// The judge of numbers on a checkpoint that people have: SmolLM2 as auto-round's AWQ. The
// reference is transformers' F32 computation of the same dequantised weights, recorded by
// tools/checkpoints (logits.py first, llama_distance.py), with llama.cpp's own distance on
// the same bytes beside it. The checkpoint is made by tools/checkpoints/makers, not fetched.
// Which way an activation rounds is chance: two computations that are equally exact differ by
// as much as each differs from F32. So ours must not be farther than 1.05 times llama.cpp's
// with 95 % certainty, prompts being the pairs; where a mean alone is recorded, the means decide.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { type Engine, loadModel } from "../../src/index.js";
import { pinnedText, processor, realModelPath, recordedPrompts } from "../helpers/real-models.js";

const minutes = 60_000;
const textPerToken = 8;
const textBeside = 64;
const likeliestTold = 20;
const timesLlama = 1.05;
const distanceOfF32 = 0.003;

const checkpoint = fileURLToPath(new URL("../../.build/real-models/smollm2-ar-awq", import.meta.url));

/** A mean over the first so many of the recorded prompts, which are ordered by length. */
interface LlamaDistance {
  readonly prompts: number;
  readonly distance: number;
  readonly each?: readonly number[];
}

interface Recorded {
  /** Of llama.cpp itself on the same bytes, by processor() and type; the test is skipped where it is not recorded. */
  readonly llamaDistance: Readonly<Record<string, Readonly<Record<string, LlamaDistance>>>>;
  readonly top: readonly (readonly (readonly [token: number, logProb: number])[])[];
}
const recorded = JSON.parse(
  readFileSync(new URL("references/smollm2-ar-awq.json", import.meta.url), "utf8"),
) as Recorded;

const missing = [checkpoint, realModelPath("smollm2")].filter((each) => !existsSync(each));
const title = missing.length === 0 ? "SmolLM2 as AWQ" : `SmolLM2 as AWQ: ${missing.join(" and ")} missing`;

describe.skipIf(missing.length > 0)(title, () => {
  let prompts: readonly (readonly number[])[];
  beforeAll(async () => {
    const model = await loadModel(realModelPath("smollm2"));
    prompts = recordedPrompts().map(({ file, at, tokens }) => {
      const characters = [...pinnedText(file)].slice(at, at + textPerToken * tokens + textBeside);
      return [...model.tokenize(characters.join(""))].slice(0, tokens);
    });
    await model.close();
  }, minutes);

  for (const profile of ["q4_1", "q5_0"] as const) {
    const theirs = recorded.llamaDistance[processor()]?.[profile];
    const judged = theirs === undefined ? it.skip : it;
    const bar = `as ${profile} is at most ${timesLlama} times as far from F32 as llama.cpp on the same bytes`;
    judged(
      theirs === undefined ? `${bar}: llama_distance.py has not run on a processor with ${processor()}` : bar,
      { timeout: 20 * minutes },
      async () => {
        const ours = await distancesOf(profile, prompts.slice(0, theirs?.prompts));
        const ratio = mean(ours) / (theirs?.distance ?? 0);
        const excess = ours.map((one, index) => one - timesLlama * (theirs?.each?.[index] ?? Number.NaN));
        console.log(`${profile}: ${ratio.toFixed(3)} times llama.cpp's`);
        if (theirs?.each === undefined) expect(ratio).toBeLessThan(timesLlama);
        else expect(mean(excess) - halfInterval(excess)).toBeLessThan(0);
      },
    );
  }

  it("is recorded for every prompt", () => expect(recorded.top).toHaveLength(prompts.length));

  it(`as f32 is at most ${distanceOfF32} from it`, { timeout: 20 * minutes }, async () => {
    expect(mean(await distancesOf("f32", prompts))).toBeLessThan(distanceOfF32);
  });
});

/** Each prompt's root mean square over the reference's likeliest tokens. */
async function distancesOf(
  profile: "q4_1" | "q5_0" | "f32",
  prompts: readonly (readonly number[])[],
): Promise<readonly number[]> {
  const model = await loadModel(checkpoint, { checkpoint: { profile, cache: false } });
  const engine = await model.createEngine({ slots: 4, contextLength: 2048 });
  const distances = await Promise.all(
    prompts.map(async (prompt, index) =>
      distance(recorded.top[index] ?? [], await likeliest(engine, prompt)),
    ),
  );
  await engine.close();
  await model.close();
  console.log(`${profile}, ${distances.length} prompts: ${mean(distances).toFixed(5)}`);
  return distances;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}

/** Half of the mean's 95 % interval: Student's t of 30 and more degrees of freedom, within 2 %. */
function halfInterval(numbers: readonly number[]): number {
  const middle = mean(numbers);
  const squares = numbers.reduce((sum, each) => sum + (each - middle) ** 2, 0);
  return 2.0 * Math.sqrt(squares / (numbers.length - 1) / numbers.length);
}

async function likeliest(engine: Engine, prompt: readonly number[]): Promise<ReadonlyMap<number, number>> {
  const request = { prompt, maxTokens: 1, ignoreEos: true, temperature: 0, cache: false };
  const { logProbs } = await engine.generate({ ...request, logProbs: likeliestTold });
  return new Map(logProbs?.[0]?.top.map(({ token, logProb }) => [token, logProb]));
}

function distance(
  reference: readonly (readonly [number, number])[],
  told: ReadonlyMap<number, number>,
): number {
  const squares = reference
    .filter(([token]) => told.has(token))
    .map(([token, value]) => (value - (told.get(token) ?? Number.NaN)) ** 2);
  return Math.sqrt(squares.reduce((sum, each) => sum + each, 0) / squares.length);
}
