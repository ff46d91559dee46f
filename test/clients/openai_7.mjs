// OpenAI's package of version 7 against the server at argv[3], on a Node of version 22: prints the name of each
// use that works, and leaves one generation midway. argv[2]: the folder in which the package is installed.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.argv[2], "index.js"));
const { default: OpenAI } = require("openai");
const { zodFunction, zodResponseFormat, zodTextFormat } = require("openai/helpers/zod");
const { z } = require("zod");

const model = "my-model";
const client = new OpenAI({ baseURL: `${process.argv[3]}/v1`, apiKey: "any", maxRetries: 0 });
const messages = [{ role: "user", content: "Tell me a story about a fox." }];
const greedy = { model, messages, max_tokens: 12, temperature: 0 };
const Animal = z.object({ animal: z.enum(["cat", "dog", "fox"]), legs: z.int().min(0).max(9) });
const City = z.object({ city: z.enum(["Rome", "Oslo"]) });
const input = "Tell me a story about a fox.";

const whole = await client.chat.completions.create(greedy);
assert(whole.usage.completion_tokens > 0);
const made = await client.responses.create({ model, input, max_output_tokens: 16 });
assert(made.usage.output_tokens > 0 && typeof made.output_text === "string");
console.log("whole");

let text = "";
for await (const chunk of await client.chat.completions.create({ ...greedy, stream: true }))
  text += chunk.choices[0]?.delta.content ?? "";
assert.equal(text, whole.choices[0].message.content);
const runner = client.chat.completions.stream(greedy);
assert.equal((await runner.finalMessage()).content, text);
let said = "";
const streamed = client.responses.stream({ model, input, max_output_tokens: 16, temperature: 0 });
for await (const event of streamed) if (event.type === "response.output_text.delta") said += event.delta;
assert.equal((await streamed.finalResponse()).output_text, said);
console.log("stream");

const leaving = new AbortController();
const endless = { ...greedy, max_tokens: 4000, ignore_eos: true, stream: true };
for await (const _ of await client.chat.completions.create(endless, { signal: leaving.signal }))
  leaving.abort();
console.log("left midway");

const tools = [zodFunction({ name: "weather", parameters: City })];
const called = await client.chat.completions.parse({
  ...greedy,
  max_tokens: 200,
  tools,
  tool_choice: "required",
  parallel_tool_calls: false,
});
assert(City.safeParse(called.choices[0].message.tool_calls[0].function.parsed_arguments).success);
console.log("tools");

const response_format = zodResponseFormat(Animal, "animal");
const parsed = await client.chat.completions.parse({ model, messages, response_format });
assert(Animal.safeParse(parsed.choices[0].message.parsed).success);
const formatted = await client.responses.parse({
  model,
  input,
  text: { format: zodTextFormat(Animal, "animal") },
});
assert(Animal.safeParse(formatted.output_parsed).success);
console.log("JSON by a schema");

const { data } = await client.embeddings.create({ model, input: ["A fox ran.", "A dog."] });
assert.deepEqual(
  data.map(({ embedding }) => Math.round(Math.hypot(...embedding) * 1000)),
  [1000, 1000],
);
console.log("embeddings");

assert.equal((await client.models.list()).data[0].id, model);
await assert.rejects(client.chat.completions.create({ ...greedy, model: "other" }), OpenAI.NotFoundError);
console.log("more");
