// Token ids of every vocabulary that llama.cpp's sources have a test of: its texts, and the ids
// expected there. Each vocabulary is put into a small model of random weights, since models
// without weights do not load.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { loadModel } from "../../src/index.js";
import { makeModel } from "../../tools/bench/make-model.mjs";

const vocabularies = fileURLToPath(new URL("../../third_party/.sources/llama.cpp/models", import.meta.url));
const shape = { layers: 1, width: 32, feedForward: 32, heads: 1, keyValueHeads: 1, context: 64, seed: 1 };
const names = readdirSync(vocabularies)
  .filter((name) => name.endsWith(".gguf.inp"))
  .map((name) => name.slice(0, -".inp".length));

/** @param {string} name of a vocabulary's file @param {string} end */
const read = (name, end) => readFileSync(path.join(vocabularies, name + end));

const folder = mkdtempSync(path.join(tmpdir(), "infernode-vocabularies-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("llama.cpp's tests of vocabularies", () => {
  it("are the fifteen that the pinned version has", () => {
    expect(names).toHaveLength(15);
  });

  it.each(names)("%s", { timeout: 600_000 }, async (name) => {
    const texts = read(name, ".inp").toString().split("\n__ggml_vocab_test__\n");
    const expected = read(name, ".out").toString().split("\n").slice(0, texts.length);
    expect(expected.length).toBe(texts.length);
    const file = path.join(folder, name);
    writeFileSync(file, makeModel(shape, read(name, "")));
    const model = await loadModel(file);
    for (const [index, text] of texts.entries()) {
      const ids = [...model.tokenize(text, { addSpecial: false })].join(" ");
      expect(ids, JSON.stringify(text)).toBe(expected[index].trim());
    }
    await model.close();
    rmSync(file);
  });
});
