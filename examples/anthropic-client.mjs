// Anthropic's own package: a message, a stream, a tool that is called, tokens counted before.
//   npm install @anthropic-ai/sdk
//   node anthropic-client.mjs
import Anthropic from "@anthropic-ai/sdk";

const server = process.env.INFERNODE_URL ?? "http://127.0.0.1:8000";
const client = new Anthropic({ baseURL: server, apiKey: process.env.INFERNODE_API_KEY ?? "none" });
const { data } = await (await fetch(`${server}/v1/models`)).json();
const model = data[0].id;
const messages = [{ role: "user", content: "Tell me a story about a fox." }];

const { input_tokens } = await client.messages.countTokens({ model, messages });
const { content, usage } = await client.messages.create({ model, messages, max_tokens: 40 });
console.log("message:", content[0]?.text ?? "", input_tokens === usage.input_tokens);

process.stdout.write("stream: ");
const stream = client.messages.stream({ model, messages, max_tokens: 40, system: "You tell short stories." });
stream.on("text", (text) => process.stdout.write(text));
const whole = await stream.finalMessage();
console.log(`\n${whole.stop_reason} after ${whole.usage.output_tokens} tokens`);

const weather = {
  name: "weather",
  description: "The weather of a city",
  input_schema: { type: "object", properties: { city: { enum: ["Rome", "Oslo"] } }, required: ["city"] },
};
const asked = await client.messages.create({
  model,
  messages: [{ role: "user", content: "Is it warm in Rome?" }],
  max_tokens: 400,
  tools: [weather],
  tool_choice: { type: "any", disable_parallel_tool_use: true },
});
const call = asked.content.find(({ type }) => type === "tool_use");
console.log("tool:", call.name, call.input);
