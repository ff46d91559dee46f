// Weights that somebody trained, on a device: SmolLM2 says there what it says on the CPU. Random
// weights have no outliers, and no text that is wrong to a reader.
import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { loadModel } from "../../src/index.js";
import { type Answer, expectAlike, onCpu, rounding } from "../helpers/device-answers.js";
import { withEngine } from "../helpers/embedded.js";
import { realModelPath } from "../helpers/real-models.js";
import { describeDevice, patience } from "../helpers/software-device.js";

const engineOptions = { slots: 1, contextLength: 256, prefillChunk: 16 };
const request = {
  prompt: "The capital of France",
  maxTokens: 6,
  temperature: 0,
  ignoreEos: true,
  logProbs: 5,
};
const file = realModelPath("smollm2");
const title = existsSync(file) ? "SmolLM2" : "SmolLM2: skipped, npm run models:real fetches it";

describeDevice("a real model on a device", 1, () => {
  it.skipIf(!existsSync(file))(`${title} says what the CPU says`, patience, async () => {
    const [cpu] = await onCpu([{ model: file, engineOptions, requests: [request] }]);
    await using model = await loadModel(file, { device: "gpu" });
    await withEngine(model, engineOptions, async (engine) => {
      const answer = await engine.generate(request);
      expect(answer.text).toContain("Paris");
      expectAlike(answer, cpu?.answers[0] as Answer, rounding);
    });
  });
});
