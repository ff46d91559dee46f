// Prints the token ids of the recorded prompts (test/real-models/prompts.json) as JSON, by the
// tokenizer of SmolLM2's GGUF file, which is what the numbers of real models are recorded with.
//
// usage: prompt-tokens.mjs > tokens.json      needs `npm run build` and `npm run models:real`
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadModel } from "../../dist/index.js";

const root = new URL("../../", import.meta.url);
const text = (path) => readFileSync(new URL(path, root), "utf8");

// As tools/real-models/record.py cuts them.
const textPerToken = 8;
const textBeside = 64;

const file = fileURLToPath(new URL(".build/real-models/SmolLM2-135M-Instruct.Q4_1.gguf", root));
const model = await loadModel(file);
const tokens = JSON.parse(text("test/real-models/prompts.json")).map((prompt) => {
  const characters = [...text(`third_party/.sources/llama.cpp/${prompt.file}`)];
  const end = prompt.at + textPerToken * prompt.tokens + textBeside;
  return [...model.tokenize(characters.slice(prompt.at, end).join(""))].slice(0, prompt.tokens);
});
await model.close();
process.stdout.write(`${JSON.stringify(tokens)}\n`);
