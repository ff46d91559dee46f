// Models of other architectures on a device: sliding windows, experts, recurrent states. What
// the device has no routine for, llama.cpp computes on the CPU between its passes; the text is
// the CPU's either way, a conversation goes on where it stopped too.
import { expect, it } from "vitest";
import { loadModel } from "../../src/index.js";
import { type Answer, expectAlike, onCpu, rounding } from "../helpers/device-answers.js";
import { withEngine } from "../helpers/embedded.js";
import { describeDevice, patience } from "../helpers/software-device.js";

const engineOptions = { slots: 2, contextLength: 256, prefillChunk: 16 };
const greedy = { maxTokens: 8, temperature: 0, ignoreEos: true, logProbs: 5 };
const story = "Once upon a time there was a small green frog who lived in a pond near the old mill.";

describeDevice("an architecture on a device", 1, () => {
  it.each([
    ["a sliding window", "synthetic:gemma3?dim=128&window=16&type=f32"],
    ["experts", "synthetic:qwen3moe?dim=64&type=f32"],
    ["recurrent states", "synthetic:mamba?dim=128&type=f32"],
    ["recurrent states and attention", "synthetic:jamba?dim=128&type=f32"],
  ])("with %s says what the CPU says", patience, async (_, reference) => {
    await using model = await loadModel(reference, { device: "gpu" });
    const prompt = model.tokenize(story);
    await withEngine(model, engineOptions, async (engine) => {
      const first = await engine.generate({ ...greedy, prompt });
      const longer = [...prompt, ...first.tokens, ...prompt.slice(1, 5)];
      const requests = [
        { ...greedy, prompt },
        { ...greedy, prompt: longer },
      ];
      const second = await engine.generate({ ...greedy, prompt: longer });
      const [cpu] = await onCpu([
        { model: reference, engineOptions: { ...engineOptions, slots: 1 }, requests },
      ]);
      expectAlike(first, cpu?.answers[0] as Answer, rounding);
      expectAlike(second, cpu?.answers[1] as Answer, rounding);
      expect(second.usage.cachedPromptTokens).toBeGreaterThanOrEqual(prompt.length);
      expect(engine.stats()).toMatchObject({ failedPasses: 0, running: 0, kvCellsUsed: 0 });
    });
  });
});
