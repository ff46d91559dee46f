// OpenAI's own package: a chat, a stream that is left, JSON by a schema, embeddings.
//   npm install openai
//   node openai-client.mjs
import OpenAI from "openai";

const server = process.env.INFERNODE_URL ?? "http://127.0.0.1:8000";
const client = new OpenAI({ baseURL: `${server}/v1`, apiKey: process.env.INFERNODE_API_KEY ?? "none" });
const model = (await client.models.list()).data[0].id;
const messages = [{ role: "user", content: "Tell me a story about a fox." }];

const { choices, usage } = await client.chat.completions.create({ model, messages, max_tokens: 40 });
console.log("chat:", choices[0].message.content, usage.completion_tokens);

const stream = await client.chat.completions.create({ model, messages, max_tokens: 200, stream: true });
let story = "";
for await (const chunk of stream) {
  story += chunk.choices[0]?.delta.content ?? "";
  if (story.length > 60) break; // ends the generation on the server, too
}
console.log("stream:", story);

const schema = {
  type: "object",
  properties: { animal: { enum: ["cat", "dog", "fox"] }, legs: { type: "integer", minimum: 0, maximum: 9 } },
  required: ["animal", "legs"],
  additionalProperties: false,
};
const described = await client.chat.completions.create({
  model,
  messages: [{ role: "user", content: "Describe a fox." }],
  response_format: { type: "json_schema", json_schema: { name: "animal", schema, strict: true } },
});
console.log("object:", JSON.parse(described.choices[0].message.content));

const { data } = await client.embeddings.create({ model, input: ["A fox ran.", "A dog slept."] });
console.log("embeddings:", data.length, data[0].embedding.length);
