// The engine in this process, asked for chats by its own API: what http-server.mjs is compared
// with. Takes { model, slots, contextLength, threads, lanes } in the file named by its argument,
// answers with one line of JSON.
import { readFileSync } from "node:fs";
import { loadModel } from "../../../dist/index.js";
import { runLanes } from "../lanes.mjs";

const task = JSON.parse(readFileSync(process.argv[2], "utf8"));
const model = await loadModel(task.model, { gpuLayers: 0, chatTemplate: "chatml" });
const { slots, contextLength, threads } = task;
const engine = await model.createEngine({ slots, contextLength, threads });

async function generate(prompt, newTokens, onTokens) {
  const messages = [{ role: "user", content: prompt }];
  const generation = engine.generate({
    messages,
    maxTokens: newTokens,
    temperature: 1,
    seed: 1,
    ignoreEos: true,
  });
  let usage;
  for await (const event of generation) {
    if (event.type === "end") ({ usage } = event);
    else onTokens(event.tokens.length);
  }
  return usage;
}

// What is compiled while it runs is compiled in both.
for (let times = 0; times < 3; times += 1)
  await Promise.all(task.lanes.map((_, lane) => generate(`warm ${lane} ${times}`, 16, () => {})));
const before = process.cpuUsage();
const begin = performance.now();
const done = await runLanes(task.lanes, generate);
const wall = performance.now() - begin;
const { user, system } = process.cpuUsage(before);
const { rowsPerStep } = engine.stats();
console.log(JSON.stringify({ done, wall, rowsPerStep, cpuMs: (user + system) / 1000 }));
await engine.close();
await model.close();
