// One engine with or without guessing ahead, on text that repeats itself or on
// text that does not, with a draft model where one is named. Takes { model, draft,
// draftTokens, threads, sequences, newTokens, speculation, repetitive, slips } as JSON and
// answers with one line of JSON.
import { loadModel } from "../../../dist/index.js";
import { promptText } from "../workload.mjs";

// Each digit is a token of its own, and a byte token that says the same: the model takes
// the latter now and then, by a whim that cannot be guessed (`slips`). Without it the text
// is the same circle of tokens, again and again.
const kCircle = "(31415926535897932384)*";
const kFirstByteToken = 3; // of llama's vocabulary
const byteToken = (text) => kFirstByteToken + text.charCodeAt(0);
const noByteDigits = Object.fromEntries([..."0123456789"].map((digit) => [byteToken(digit), -100]));

const task = JSON.parse(process.argv[2]);
const model = await loadModel(task.model, { gpuLayers: 0 });
const draftModel = task.draft && task.speculation ? await loadModel(task.draft, { gpuLayers: 0 }) : undefined;
const engine = await model.createEngine({
  slots: task.sequences,
  contextLength: 1024,
  threads: task.threads,
  speculation: draftModel === undefined ? task.speculation : { draftModel, draftTokens: task.draftTokens },
});

function generate(index) {
  const request = {
    prompt: promptText(index, 64),
    maxTokens: task.newTokens,
    temperature: 0,
    ignoreEos: true,
  };
  if (!task.repetitive) return engine.generate(request);
  return engine.generate({ ...request, regex: kCircle, logitBias: task.slips ? {} : noByteDigits });
}

await engine.generate({ prompt: "warm", maxTokens: 4 });
const begin = performance.now();
const results = await Promise.all(Array.from({ length: task.sequences }, (_, index) => generate(index)));
const wall = performance.now() - begin;
const { draftedTokens, acceptedTokens, decodePasses, draftPasses } = engine.stats();
const generated = results.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
if (generated !== task.sequences * task.newTokens) {
  throw new Error(`${generated} tokens came instead of ${task.sequences} times ${task.newTokens}.`);
}
const tokensPerSecond = (generated * 1000) / wall;
const counts = { generated, draftedTokens, acceptedTokens, decodePasses, draftPasses };
console.log(JSON.stringify({ tokensPerSecond, ...counts }));
await engine.close();
await draftModel?.close();
await model.close();
