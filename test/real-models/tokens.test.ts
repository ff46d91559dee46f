// Token ids of real vocabularies equal llama.cpp's, on the texts of its tokenizer tests.
import { expect, it } from "vitest";
import { loadModel } from "../../src/index.js";
import {
  describeReal,
  pinnedText,
  type RealModel,
  realModelPath,
  referenceOf,
} from "../helpers/real-models.js";

const texts = pinnedText("models/ggml-vocab-llama-bpe.gguf.inp").split("\n__ggml_vocab_test__\n");

for (const name of ["smollm2", "gemma3"] as const satisfies readonly RealModel[]) {
  describeReal(name, () => {
    it(`gives ${texts.length} texts llama.cpp's ids, and the texts back`, async () => {
      const model = await loadModel(realModelPath(name));
      const { vectors } = referenceOf(name);
      expect(vectors).toHaveLength(texts.length);
      for (const [index, text] of texts.entries()) {
        const plain = model.tokenize(text, { addSpecial: false });
        expect([plain, model.tokenize(text)], JSON.stringify(text)).toEqual(vectors[index]);
        expect(model.detokenize(plain)).toBe(text);
      }
      await model.close();
    });
  });
}
