// node-llama-cpp through its lowest documented call, sequence.evaluate(): one sequence a request.
import { openNodeLlamaCpp } from "../open-node-llama-cpp.mjs";
import { packageVersion } from "../peer-import.mjs";
import { answerTasks, tokenCounter } from "./answers.mjs";

const task = JSON.parse(process.argv.at(-1));
const { llama, model, context } = await openNodeLlamaCpp(task, task.slots);
const sequences = Array.from({ length: task.slots }, () => context.getSequence());

async function complete(sequence, prompt, newTokens) {
  await sequence.clearHistory();
  const counter = tokenCounter();
  const begin = model.tokens.shouldPrependBosToken ? [model.tokens.bos] : [];
  const tokens = [...begin, ...model.tokenize(prompt)];
  let text = "";
  const generated = [];
  for await (const token of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
    text += model.detokenize([token], true, generated);
    generated.push(token);
    counter.count();
    if (counter.counted === newTokens) break;
  }
  return { ...counter, promptTokens: tokens.length, generatedTokens: generated.length, text };
}

const version = packageVersion("node-llama-cpp", task.packages);
await answerTasks(version, (prompts, newTokens) =>
  prompts.map((prompt, index) => complete(sequences[index], prompt, newTokens)),
);
await llama.dispose();
