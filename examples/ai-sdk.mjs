// Vercel's AI SDK: streamed text, an object by a schema, a tool that is called.
//   npm install ai @ai-sdk/openai-compatible zod
//   node ai-sdk.mjs
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, streamText, tool } from "ai";
import { z } from "zod";

const server = process.env.INFERNODE_URL ?? "http://127.0.0.1:8000";
const infernode = createOpenAICompatible({
  name: "infernode",
  baseURL: `${server}/v1`,
  apiKey: process.env.INFERNODE_API_KEY ?? "none",
  supportsStructuredOutputs: true, // schemas are kept by the grammar, not by hope
  includeUsage: true,
});
const { data } = await (await fetch(`${server}/v1/models`)).json();
const model = infernode(data[0].id);

const stream = streamText({ model, prompt: "Tell me a story about a fox.", maxOutputTokens: 40 });
for await (const text of stream.textStream) process.stdout.write(text);
console.log("\nstreamed:", (await stream.usage).outputTokens, "tokens");

const schema = z.object({ animal: z.enum(["cat", "dog", "fox"]), legs: z.number().int().min(0).max(9) });
const { object } = await generateObject({ model, schema, prompt: "Describe a fox." });
console.log("object:", object);

const weather = tool({
  description: "The weather of a city",
  inputSchema: z.object({ city: z.enum(["Rome", "Oslo"]) }),
  execute: async ({ city }) => ({ city, degrees: city === "Rome" ? 24 : 12 }),
});
const { toolResults } = await generateText({
  model,
  tools: { weather },
  toolChoice: "required",
  providerOptions: { infernode: { parallel_tool_calls: false } }, // one call is enough
  prompt: "Is it warm in Rome?",
});
console.log("tool:", toolResults[0].output);
