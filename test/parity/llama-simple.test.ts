// Our greedy text against that of llama.cpp's own smallest program, built from
// the pinned tree, on a CPU backend without our routines. Row by row, and in every
// weight type, parity_test.cpp compares; here the programs as a whole are.
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedModelPath, type Model } from "../../src/index.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

const execute = promisify(execFile);
const release = fileURLToPath(new URL("../../.build/release", import.meta.url));
const program = join(release, "bin", "llama-simple");
const unmodified = join(release, "bin", "unmodified");
// It runs four threads that wait for each other, slowly on fewer cores.
const patience = { timeout: 600_000 };

const tokens = 8;
// At each token the likeliest leads by more than 2: no CPU's rounding makes another text.
const prompts = [
  "A little girl named Lily went to the park with",
  "“Stop!” said the owl. Then she had a red boat. One day, when the rain had stopped,",
  "Tom — the small dog — had a red boat. One day, when the rain had stopped,",
];

let model: Model;
beforeAll(async () => {
  if (!existsSync(program) || !existsSync(unmodified))
    await execute("cmake", ["--build", release, "--target", "llama-simple", "infernode_unmodified"]);
  model = await loadEmbedded();
}, 600_000);
afterAll(() => model.close());

async function textOfLlamaSimple(prompt: string): Promise<string> {
  const module = readdirSync(unmodified).find((name) => /ggml-cpu-.*\.(so|dylib)$/.test(name));
  const env = { ...process.env, GGML_BACKEND_PATH: join(unmodified, module ?? "") };
  const args = ["-m", embeddedModelPath(), "-n", String(tokens), prompt];
  const { stdout } = await execute(program, args, { env });
  const before = `${model.detokenize([model.info.bosToken], { special: true })}${prompt}`;
  expect(stdout.slice(0, before.length)).toBe(before);
  return stdout.slice(before.length, -"\n".length);
}

describe("greedy text", () => {
  it.each(prompts)("is llama-simple's, alone and among others: %s", patience, async (prompt) => {
    const expected = await textOfLlamaSimple(prompt);
    const request = { prompt, temperature: 0, maxTokens: tokens };
    await withEngine(model, { slots: 1, threads: 1 }, async (engine) => {
      expect((await engine.generate(request)).text).toBe(expected);
    });
    await withEngine(model, { slots: 4, threads: 1 }, async (engine) => {
      const all = await Promise.all(
        [...prompts, prompt].map((one) => engine.generate({ ...request, prompt: one })),
      );
      expect(all.at(-1)?.text).toBe(expected);
    });
  });
});
