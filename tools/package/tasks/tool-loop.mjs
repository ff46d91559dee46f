// Runs the functions that the model asks for.
import { embeddedModelPath, loadModel } from "infernode";

const chatTemplate = `{% if tools %}<|system|>Tools: {{ tools | tojson }}<|end|>{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}
{%- for call in m.tool_calls or [] %}<tool_call>{{ { "name": call.function.name, "arguments": call.function.arguments } | tojson }}</tool_call>{% endfor %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`;
const engine = await (await loadModel(embeddedModelPath(), { chatTemplate })).createEngine();
const table = { add: ({ a, b }) => a + b, clock: () => new Date().toISOString() };
const number = { type: "integer", minimum: 0, maximum: 99 };
const tools = [
  { name: "add", description: "Adds two numbers", parameters: { type: "object", properties: { a: number, b: number }, required: ["a", "b"] } },
  { name: "clock", description: "The time", parameters: { type: "object", properties: {} } },
];
const messages = [{ role: "user", content: "What is 2 plus 3?" }];
for (const toolChoice of ["required", "required", "none"]) {
  const { text, toolCalls = [], finishReason } = await engine.generate({ messages, tools, toolChoice, maxTokens: 200 });
  messages.push({ role: "assistant", content: text, toolCalls });
  for (const { id, name, arguments: json } of toolCalls)
    messages.push({ role: "tool", toolCallId: id, content: String(table[name](JSON.parse(json))) });
  console.log(finishReason, toolCalls.map((call) => call.name + call.arguments).join(), text);
}
