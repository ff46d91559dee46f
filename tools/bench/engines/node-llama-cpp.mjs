// node-llama-cpp doing a benchmark's task: its lowest documented call,
// sequence.evaluate(), one sequence per request, all at once.
// Takes and answers what infernode.mjs does, but for repeats.
import { openNodeLlamaCpp } from "../peers/open-node-llama-cpp.mjs";
import { promptText, summarise, tokenClock } from "../workload.mjs";

const kWarmUpTokens = 4;

const task = JSON.parse(process.argv[2]);
const { llama, model, context } = await openNodeLlamaCpp(task, task.sequences);
const sequences = Array.from({ length: task.sequences }, () => context.getSequence());

async function generate(index, newTokens, sequence) {
  const text = promptText(index, task.promptTokens);
  const clock = tokenClock();
  const tokens = [model.tokens.bos, ...model.tokenize(text)];
  for await (const token of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
    model.detokenize([token]);
    clock.token();
    if (clock.arrivals.length === newTokens) break;
  }
  return { clock, promptTokens: tokens.length };
}

await generate(-1, kWarmUpTokens, sequences[0]);
await sequences[0].clearHistory();
const done = await Promise.all(sequences.map((sequence, index) => generate(index, task.newTokens, sequence)));
const clocks = done.map(({ clock }) => clock);
const promptTokens = done.map((generation) => generation.promptTokens);
console.log(JSON.stringify({ runs: [summarise(clocks, promptTokens)] }));
await llama.dispose();
