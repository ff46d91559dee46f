// Tools with every template that takes them: names that differ only in a sign stay
// apart, each argument is what its schema allows, and the prompt shows the tools as
// they were given. Texts are drawn under the grammar of a call and read by llama.cpp's
// own parser for the format.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AnswerFormat } from "../../src/chat/answer.js";
import type { Conversation } from "../../src/chat/messages.js";
import { ChatRenderer } from "../../src/chat/renderer.js";
import type { Tool } from "../../src/chat/tools.js";
import {
  type Engine,
  embeddedModelPath,
  type InferenceError,
  loadModel,
  type Model,
} from "../../src/index.js";
import { chatProgram } from "../../src/native-addon.js";
import { loadEmbedded } from "../helpers/embedded.js";
import { templateNames, templateText } from "../helpers/templates.js";
import { validator } from "../helpers/valid-json.js";

const closed = (properties: object) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const bit = { type: "integer", minimum: 0, maximum: 1 };
const schemas: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "shop.get": closed({
    "my-param": { type: "boolean" },
    my_param: bit,
    nested: closed({ "a.b": { type: "boolean" }, "a-b": bit }),
  }),
  "shop-get": closed({ my_param: { type: "boolean" } }),
};
const tools: readonly Tool[] = Object.entries(schemas).map(([name, parameters]) => ({
  name,
  description: `What ${name} does.`,
  parameters,
}));

/** A format in which arguments are bound to no schema. */
const unbound = /^google-gemma-4/;
/** Templates that refuse tools, or whose form of a call is not known. */
const refused = /no place for tools|not known/;

let model: Model;
let engine: Engine;
beforeAll(async () => {
  model = await loadEmbedded();
  engine = await model.createEngine({ slots: 8, contextLength: 1024, threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await model.close();
});

const conversation: Conversation = {
  messages: [{ role: "user", content: "Buy." }],
  variables: {},
  addGenerationPrompt: true,
  splitReasoning: true,
  tools: { tools, choice: "auto", parallel: false },
};

/** Names of the tools that were called, after their arguments were found valid. */
async function called(chat: ChatRenderer, name: string, answer: AnswerFormat): Promise<string[]> {
  const run = { prompt: "Once", grammar: answer.grammar, seed: 1, temperature: 2, topP: 1 };
  const bias = (text: string, by: number) =>
    [...model.tokenize(text, { addSpecial: false })].map((token) => [token, by] as const);
  const logitBias = Object.fromEntries([...bias("\n", -20), ...bias("}", 4)]); // or it indents at length
  const { choices } = await engine.generate({ ...run, n: 5, maxTokens: 160, logitBias });
  const names: string[] = [];
  for (const { text, finishReason } of choices) {
    if (finishReason !== "stop" || text.trim() === "") continue;
    const thought = answer.thinking ? (answer.thinkingEnds[0] ?? "") : "";
    const { toolCalls } = await chat.parse(answer, thought + text, true);
    for (const call of toolCalls) {
      names.push(call.name);
      const schema = schemas[call.name];
      if (schema === undefined) throw new Error(`${call.name} is no tool`);
      if (!unbound.test(name)) expect(validator(schema)(call.arguments), call.arguments).toBe(true);
    }
  }
  return names;
}

describe("tools whose names differ in a sign", () => {
  const made = new Map<string, string[]>();

  it.each(templateNames)("%s tells apart", async (name) => {
    const whose = { template: templateText(name), bos: "<s>", eos: "</s>", addBos: true };
    const chat = new ChatRenderer(chatProgram(), whose, 20_000);
    try {
      const written = await chat.render(conversation).catch((error: Error) => error);
      if (written instanceof Error) return expect(written.message).toMatch(refused);
      const { prompt, answer } = written;
      for (const tool of tools) expect(prompt).toContain(tool.name);
      expect(prompt).toContain("my-param");
      expect(prompt).not.toMatch(/Alias\d/);
      expect(JSON.stringify([answer?.words, answer?.ends, answer?.triggers])).not.toMatch(/Alias\d/);
      if (answer === undefined || answer.grammar === "") return;
      for (const tool of tools) expect(answer.grammar).toContain(tool.name);
      made.set(name, await called(chat, name, answer));
    } finally {
      chat.release();
    }
  });

  it("are called in the format of many", () => {
    const formats = [...made].filter(([, names]) => names.length > 0).map(([name]) => name);
    expect(formats.length).toBeGreaterThan(25);
  });
});

describe("a tool whose schema cannot be honoured", () => {
  const words = Array.from({ length: 3000 }, (_, index) => `word ${index} of a list that is far too long`);
  const wide = Array.from({ length: 900 }, (_, index) => [
    `p${index}`,
    { type: "string", maxLength: 900 + index },
  ]);
  it.each<[string, object]>([
    ["of a keyword", { not: { const: 1 } }],
    ["that is no schema", { type: 7 }],
    ["of a value", "string" as unknown as object],
    ["of nothing", { not: {} }],
    ["of nothing, said shortly", false as unknown as object],
    ["without a value", { type: "integer", minimum: 2, maximum: 1 }],
    ["of a pattern", { type: "string", pattern: "(?<=a)\\1" }],
    ["of a reference", { $ref: "https://example.com/a" }],
    ["of a circle", { $ref: "#/properties/a" }],
    ["of a format", { type: "string", format: "color", maxLength: 1e6 }],
    ["of free values that differ", { type: "array", uniqueItems: true, items: { type: "string" } }],
    ["of many values", { enum: [...words, "x".repeat(100_000)] }],
    ["of many properties", { type: "object", properties: Object.fromEntries(wide) }],
  ])("%s is offered all the same", async (_, schema) => {
    const given = [{ name: "act", parameters: { type: "object", properties: { a: schema, b: bit } } }];
    const loaded = await loadModel(embeddedModelPath(), {
      chatTemplate: templateText("Qwen-Qwen2.5-7B-Instruct"),
    });
    const own = await loaded.createEngine({ slots: 1, contextLength: 1024, threads: 1 });
    try {
      const messages = [{ role: "user", content: "Hi" }];
      for (const toolChoice of ["auto", "required"] as const) {
        // A prompt that shows a schema of this size has no room here; its error tells that it got so far.
        const run = own.generate({ messages, tools: given, toolChoice, maxTokens: 2 });
        const told = await run.then(
          () => "fine",
          (error: unknown) => (error as InferenceError).message,
        );
        expect(told).toMatch(/^fine$|prompt/);
      }
    } finally {
      await own.close();
      await loaded.close();
    }
  });
});
