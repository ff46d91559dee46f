// node-llama-cpp under traffic, through its lowest documented call: a request
// takes a free sequence, whose history stays, so that its next prompt keeps the
// beginning it shares with the last one. Takes and answers what
// traffic-infernode.mjs does.
import { readFileSync } from "node:fs";
import { runLanes } from "../lanes.mjs";
import { openNodeLlamaCpp } from "../peers/open-node-llama-cpp.mjs";

const task = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { llama, model, context } = await openNodeLlamaCpp(task, task.slots);
const free = Array.from({ length: task.slots }, () => context.getSequence());

async function generate(prompt, newTokens, onTokens) {
  const sequence = free.shift();
  const tokens = [model.tokens.bos, ...model.tokenize(prompt)];
  await sequence.adaptStateToTokens(tokens);
  const rest = tokens.slice(sequence.nextTokenIndex);
  let generated = 0;
  for await (const token of sequence.evaluate(rest, { temperature: 0, yieldEogToken: true })) {
    model.detokenize([token]);
    onTokens(1);
    generated += 1;
    if (generated === newTokens) break;
  }
  free.push(sequence);
  return tokens.length;
}

await generate("warm", 4, () => {});
console.log(JSON.stringify({ done: await runLanes(task.lanes, generate) }));
await llama.dispose();
