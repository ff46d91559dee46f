// The shortest way from nothing to a first token with node-llama-cpp; takes
// and answers what first-token-infernode.mjs does.
import { writeSync } from "node:fs";
import { openNodeLlamaCpp } from "../peers/open-node-llama-cpp.mjs";
import { promptText } from "../workload.mjs";

const task = JSON.parse(process.argv[2]);
const { llama, model, context } = await openNodeLlamaCpp(task, 1);
const tokens = [model.tokens.bos, ...model.tokenize(promptText(0, task.promptTokens))];
for await (const token of context.getSequence().evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
  model.detokenize([token]);
  writeSync(1, "first-token\n");
  break;
}
await llama.dispose();
