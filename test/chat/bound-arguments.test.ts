// The arguments of calls are what the tool's schema allows in each template's own form, also where the form
// writes a text as it is between tags, or as Python. A model of random weights writes what the grammar allows,
// llama.cpp's parser for the form reads it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AnswerFormat } from "../../src/chat/answer.js";
import { ChatRenderer } from "../../src/chat/renderer.js";
import { type Engine, loadModel, type Model } from "../../src/index.js";
import { chatProgram } from "../../src/native-addon.js";
import { templateNames, templateText } from "../helpers/templates.js";
import { validator } from "../helpers/valid-json.js";

const closed = (properties: object) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const odd = ["x < y", 'say "no"', "</", "two\nlines", "", "5"];
const schemas = {
  texts: closed({
    zone: { enum: odd },
    kind: { type: "string", const: "a-b" },
    code: { type: "string", pattern: "^[A-Z]{2}<[0-9]{2}$" },
    note: { type: "string", minLength: 2, maxLength: 5 },
    day: { type: "string", format: "date" },
  }),
  unions: closed({
    either: {
      anyOf: [
        { type: "string", enum: ["one", "two"] },
        { type: "integer", minimum: 1, maximum: 3 },
      ],
    },
    "may-be": { type: ["string", "null"], enum: ["some", null] },
    both: { allOf: [{ type: "string", maxLength: 3 }, { pattern: "^[ab]+$" }] },
  }),
  nested: closed({
    list: { type: "array", items: { enum: ["red", "blue"] }, minItems: 1, maxItems: 2 },
    place: closed({
      "the-city": { type: "string", pattern: "^(Rome|Oslo)$" },
      free: { type: "string", maxLength: 3 },
    }),
    last: { type: "boolean" },
  }),
} as const;

/** All but a form of which llama.cpp binds nothing but the tools' names. */
const names = templateNames.filter((name) => !name.startsWith("google-gemma-4"));

let model: Model;
let engine: Engine;
beforeAll(async () => {
  model = await loadModel("synthetic:llama?layers=1&dim=64&context=16384");
  engine = await model.createEngine({ slots: 4, threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await model.close();
});

/** The grammar with texts that the form leaves open, such as a call's number, as short as may be. */
function withShortHeads({ grammar, parser }: AnswerFormat): string {
  interface Part {
    readonly type: string;
    readonly tag?: string;
    readonly child?: number;
  }
  const { parsers } = JSON.parse(parser) as { readonly parsers: readonly Part[] };
  const values = parsers.flatMap(({ tag, child }) => (tag?.startsWith("tool-arg-") ? [child] : []));
  const open = [...parsers.keys()].filter((id) => parsers[id]?.type === "until" && !values.includes(id));
  return open
    .reduce(
      (text, id) => text.replace(new RegExp(`^until-${id} ::= .*$`, "m"), `until-${id} ::= "x"`),
      grammar,
    )
    .replaceAll("[A-Za-z0-9_-]+", '"x"')
    .replace("root ::= tool-call | tool-calls\n", "root ::= tool-calls\n"); // what the trigger word begins
}

/** Several calls of a tool with these parameters, each allowed by them. */
async function expectAllowed(name: string, parameters: Readonly<Record<string, unknown>>): Promise<void> {
  const whose = { template: templateText(name), bos: "<s>", eos: "</s>", addBos: true };
  const chat = new ChatRenderer(chatProgram(), whose, 20_000);
  try {
    const { answer } = await chat.render({
      messages: [{ role: "user", content: "Buy." }],
      variables: { enable_thinking: false },
      addGenerationPrompt: true,
      splitReasoning: true,
      tools: { tools: [{ name: "act", parameters }], choice: "auto", parallel: false },
      toolForm: "auto",
    });
    if (answer === undefined) throw new Error("an answer that may call has a format");
    const run = {
      prompt: "Once",
      grammar: withShortHeads(answer),
      maxTokens: 1500,
      seed: 1,
      temperature: 2,
    };
    const { choices } = await engine.generate({ ...run, n: 4 });
    const isAllowed = validator(parameters);
    for (const { text, finishReason } of choices) {
      expect([text, finishReason]).toEqual([text, "stop"]);
      if (text.trim() === "") continue; // some of the grammars also allow no call
      const thought = answer.thinking ? (answer.thinkingEnds[0] ?? "") : "";
      let said = await chat.parse(answer, thought + text, true);
      if (said.toolCalls.length === 0) said = await chat.parse(answer, text, true);
      expect([text, said.toolCalls.map((call) => call.name)]).toEqual([
        text,
        expect.arrayContaining(["act"]),
      ]);
      for (const call of said.toolCalls) expect([text, isAllowed(call.arguments)]).toEqual([text, true]);
    }
  } finally {
    chat.release();
  }
}

describe.each(names)("%s", (name) => {
  it.each(Object.entries(schemas))("writes arguments that its tool's schema allows: %s", (_, parameters) =>
    expectAllowed(name, parameters),
  );
});

describe.each(["GLM-4.6", "Qwen3-Coder", "deepseek-ai-DeepSeek-V3.2"])("%s", (name) => {
  it.each([24, 120, 249])("counts a text of %i characters beside its closing tag", async (length) => {
    const parameters = closed({ text: { type: "string", minLength: length, maxLength: length } });
    await expectAllowed(name, parameters);
  });
});
