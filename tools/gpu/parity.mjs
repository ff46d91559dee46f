// The device's greedy text beside the CPU's: a wrong layer, position or cell moves log
// probabilities by whole units, rounding by hundredths.
import { devices, embeddedModelPath } from "infernode";
import { compare } from "./alike.mjs";
import { withEngine, withModel } from "./opened.mjs";

// Natural log. The CPU rounds activations to 8 bits before it multiplies them with quantized
// weights, a device multiplies in floating point or rounds otherwise: 0.14 at most between
// llama.cpp's Vulkan backend and the CPU, on random weights of 4 and 8 bits.
const bound = 0.3;
const prompts = ["Once upon a time", "The dog ran to the park and", "Mia and Tom went home. They"];
const experts = "synthetic:qwen3moe?dim=128&type=q8_0";
const models = (small, isSoftware) => [
  embeddedModelPath(),
  ...["q4_0", "q4_1", "q8_0", "f16"].map(
    (type) => `synthetic:llama?layers=4&dim=${small ? 128 : 1024}&type=${type}`,
  ),
  // On Mesa's software driver a wide pass of experts ends the process.
  ...(isSoftware ? [] : [experts]),
  `synthetic:gemma3?dim=128&window=64&type=q8_0`,
];

/** Whether `device`, a name or "gpu" for the best one, is Mesa's software driver. */
export function isSoftware(device, there) {
  const named = device.toLowerCase();
  const chosen = there.filter(({ name, type }) =>
    named === "gpu" ? type !== "cpu" : name.toLowerCase() === named,
  );
  return chosen.some(({ description }) => /llvmpipe/.test(description));
}

function answers(path, device, kvLayout) {
  return withModel(path, { device }, (model) =>
    withEngine(model, { slots: 4, contextLength: 256, kvLayout }, (engine) => {
      const greedy = { maxTokens: 16, temperature: 0, ignoreEos: true, logProbs: 5 };
      const runs = prompts.map((prompt) => engine.generate({ ...greedy, prompt: model.tokenize(prompt) }));
      return Promise.all(runs);
    }),
  );
}

export async function check({ device, small, hasTime, say }) {
  const rows = [];
  for (const path of models(small, isSoftware(device, devices()))) {
    // A pool of cells needs layers that keep every position.
    for (const kvLayout of path.includes("window=") ? ["streams"] : ["streams", "unified"]) {
      if (!hasTime()) break;
      const name = path.startsWith("synthetic:") ? path : "embedded";
      const [there, here] = [await answers(path, device, kvLayout), await answers(path, "cpu", kvLayout)];
      const found = there.map((answer, index) => compare(answer, here[index]));
      const row = {
        model: name,
        kvLayout,
        common: found.map(({ common }) => common),
        worst: Math.max(...found.map(({ worst }) => worst)),
        parted: Math.max(...found.map(({ parted }) => parted)),
      };
      rows.push(row);
      say(`${name}, ${kvLayout}: ${JSON.stringify(row)}`);
    }
  }
  const bars = rows.flatMap(({ model, kvLayout, worst, parted }) => [
    { what: `${model}, ${kvLayout}: difference of log probabilities`, value: worst, atMost: bound },
    { what: `${model}, ${kvLayout}: gap where texts part`, value: parted, atMost: 2 * bound },
  ]);
  return { result: rows, bars };
}
