// A call that the model may make is bound from its beginning on, with every chat template in llama.cpp's tree:
// the template's own form is told from text by its trigger words, and from there on the grammar allows calls
// only. A model of random weights writes what the grammar allows. The table is docs/tool-forms.md, which
// `npx vitest run test/chat/free-calls.test.ts --update` writes.
import { join } from "node:path";
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AnswerFormat } from "../../src/chat/answer.js";
import { ChatRenderer } from "../../src/chat/renderer.js";
import { type Engine, loadModel, type Model } from "../../src/index.js";
import { chatProgram } from "../../src/native-addon.js";
import { withEngine } from "../helpers/embedded.js";
import { describeReal, realModelPath } from "../helpers/real-models.js";
import { templateNames, templateText } from "../helpers/templates.js";

const parameters = {
  type: "object",
  properties: { zone: { enum: ["utc", "cet"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
  required: ["zone", "days"],
  additionalProperties: false,
};
const clock = { name: "get_time", description: "The time in a zone.", parameters };
const weather = { name: "get-weather", description: "What the weather is." };
const allows = new Ajv().compile(parameters);
const seconds = { type: "object", properties: { seconds: { enum: [1, 20] } }, required: ["seconds"] };
const stopwatch = { name: "get_time", parameters: { ...seconds, additionalProperties: false } };
const allowsStopwatch = new Ajv().compile(stopwatch.parameters);
const asked = { role: "user", content: "Which time is it in the zone where I am?" };

/** Whose trigger llama.cpp has as a regular expression, or has none. */
const unmarked = [
  "meetkai-functionary-medium-v3.2",
  "meta-llama-Llama-3.1-8B-Instruct",
  "meta-llama-Llama-3.2-3B-Instruct",
  "meta-llama-Llama-3.3-70B-Instruct",
  "muse-glimmer",
  "openai-gpt-oss-120b",
];

type Trigger = AnswerFormat["triggers"][number];

/** A trigger word in a text, as the engine looks for it. */
function found({ word }: Trigger, text: string): RegExpExecArray | null {
  const literal = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(" ", "\\s*");
  return new RegExp(literal).exec(text);
}

/** A grammar in which a call's recipient and type of content, where the format leaves them open, are "x". */
function withShortHeads(grammar: string): string {
  const [, open = "none"] = /" to=" (until-\d+)/.exec(grammar) ?? [];
  const recipient = new RegExp(`^${open} ::= .*$`, "m");
  return grammar.replace(recipient, `${open} ::= "x"`).replaceAll("[A-Za-z0-9_-]+", '"x"');
}

/** The rules of a grammar that a text of it may come to. */
function reachable(grammar: string): ReadonlySet<string> {
  const rules = new Map(grammar.split("\n").map((line) => line.split(" ::= ", 2) as [string, string]));
  const names = new Set<string>();
  const visit = (name: string) => {
    if (names.has(name) || !rules.has(name)) return;
    names.add(name);
    const withoutTexts = (rules.get(name) ?? "").replace(/"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]/g, " ");
    for (const [each] of withoutTexts.matchAll(/[\w-]+/g)) visit(each);
  };
  visit("root");
  return names;
}

/** How far the schema of a tool's parameters binds a call's arguments. */
function boundArguments(grammar: string): string {
  const names = reachable(grammar);
  const rules = grammar.split("\n").filter((line) => names.has(line.split(" ::= ")[0] ?? ""));
  const isBound = (text: RegExp) => rules.some((line) => text.test(line));
  // The number of days, and the zone as a text or as JSON.
  if (!isBound(/ ::= \[1-9\]$/)) return "their names";
  return isBound(/"(?:\\")?utc(?:\\")?"/) ? "all" : "all but texts";
}

const isMarked = (words: readonly string[]) => !words.some((word) => word.startsWith("{"));
const code = (word: string) => `\`${JSON.stringify(word).slice(1, -1).replaceAll("|", "\\|")}\``;

describe("a call that may be made is bound", () => {
  const rows = new Map<string, string>();
  let model: Model;
  let engine: Engine;
  beforeAll(async () => {
    model = await loadModel("synthetic:llama?layers=1&dim=64&context=16384");
    engine = await model.createEngine({ slots: 1, threads: 1 });
  });
  afterAll(async () => {
    await engine.close();
    await model.close();
  });

  it.each(templateNames)("in the form of %s", async (name) => {
    const template = templateText(name);
    const chat = new ChatRenderer(chatProgram(), { template, bos: "<s>", eos: "</s>", addBos: true }, 20_000);
    const written = (toolForm: "auto" | "template", only = [clock, weather]) =>
      chat.render({
        messages: [asked],
        variables: { enable_thinking: false },
        addGenerationPrompt: true,
        splitReasoning: true,
        tools: { tools: only, choice: "auto", parallel: false },
        toolForm,
      });
    try {
      const own = await written("template").catch((error: Error) => error);
      const form = own instanceof Error ? "generic" : "own";
      const { answer } = await written("auto");
      if (answer === undefined) throw new Error("an answer that may call has a format");
      expect([answer.lazy, answer.grammar === "", answer.triggers.length > 0]).toEqual([true, false, true]);
      expect(JSON.stringify(answer.triggers)).not.toMatch(/Alias\d/);
      const words = [...new Set(answer.triggers.map(({ word }) => word))];
      const shown = words.filter((word) => !word.includes("get-weather")).map(code);
      const bound = boundArguments(answer.grammar);
      const known = isMarked(words) ? "a mark" : "the tool's name";
      rows.set(name, `| ${name} | ${form} | ${shown.join(", ")} | ${known} | ${bound} |`);
    } finally {
      chat.release();
    }
  });

  it.each(unmarked)(
    "in the form of %s by the grammar that llama.cpp's trigger stands before",
    async (name) => {
      const template = templateText(name);
      const chat = new ChatRenderer(
        chatProgram(),
        { template, bos: "<s>", eos: "</s>", addBos: true },
        20_000,
      );
      try {
        const { answer } = await chat.render({
          messages: [asked],
          variables: {},
          addGenerationPrompt: true,
          splitReasoning: true,
          tools: { tools: [stopwatch], choice: "auto", parallel: false },
          toolForm: "template",
        });
        if (answer === undefined) throw new Error("an answer that may call has a format");
        const grammar = withShortHeads(answer.grammar);
        for (const seed of [1, 2, 3, 4]) {
          const { text } = await engine.generate({ prompt: "Once", grammar, maxTokens: 300, seed });
          // What the model writes is read as a call of the tool.
          const { toolCalls } = await chat.parse(answer, text, false);
          expect([text, toolCalls.map((call) => call.name)]).toEqual([text, ["get_time"]]);
          const given = toolCalls[0]?.arguments ?? "";
          if (boundArguments(answer.grammar) === "all")
            expect([given, allowsStopwatch(JSON.parse(given))]).toEqual([given, true]);
          // One of its trigger words is in it, and from there on the grammar reads what was written.
          const whole = answer.generationPrompt + text;
          const read = answer.triggers.flatMap((trigger) => {
            const match = found(trigger, whole);
            return match === null ? [] : [trigger.begins + whole.slice(match.index + match[0].length)];
          });
          const dense = (some: string) =>
            some.replace(/\s+/g, "").replace("to=x<|message|>", "to=tool<|message|>");
          expect(read.map(dense)).toContain(dense(text));
        }
      } finally {
        chat.release();
      }
    },
  );

  it("from what docs/tool-forms.md says", async () => {
    const opening = `# How tool calls begin

The forms of calls of the chat templates in llama.cpp's tree, and the text from which on the grammar binds a call that the model makes
of its own accord (\`toolChoice: "auto"\`); \`get_time\` stands for the tool's name. "generic": the template has no form of its own, and
calls have [the generic one](guides/tools.md#any-model). "a mark": the text occurs in calls only. "the tool's name": such calls are JSON and
nothing else, which answers may be too; bound is JSON that begins as a call of one of the tools, with any white space, and other JSON is
text. The last column says which arguments the grammar holds to the schema of the tool's parameters; where a form writes a text between tags,
a \`maxLength\` above 249 is not enforced. "their names": the tools' names alone. Written by test/chat/free-calls.test.ts.
`;
    const head = ["| template | form | bound from | known by | arguments bound |", "|---|---|---|---|---|"];
    const page = [opening, ...head, ...[...rows.values()].sort(), ""].join("\n");
    await expect(page).toMatchFileSnapshot(join(import.meta.dirname, "../../docs/tool-forms.md"));
  });
});

/** Calls of other arguments than the tool's schema allows: a small model repeats what it has read. */
function copied(days: number) {
  const time = { role: "user", content: "Time?" };
  const turns = Array.from({ length: 8 }, (_, turn) => {
    const call = { id: `call_${turn}`, name: "get_time", arguments: `{"zone": "cet", "days": ${days}}` };
    return [time, { role: "assistant", toolCalls: [call] }];
  });
  return [...turns.flat(), time];
}

// Of each kind of trigger one: a mark, the tool's name in JSON, and what the prompt ends with.
describeReal("smollm2", () => {
  it.each([
    "Qwen-Qwen2.5-7B-Instruct",
    "meta-llama-Llama-3.1-8B-Instruct",
    "meetkai-functionary-medium-v3.2",
  ])("calls of its own accord in the form of %s, and is held to the tool's schema", async (name) => {
    const model = await loadModel(realModelPath("smollm2"), { chatTemplate: templateText(name) });
    try {
      await withEngine(model, { slots: 1, contextLength: 4096 }, async (engine) => {
        // It would copy the tool's description, too.
        const ids = Array.from({ length: model.info.vocabularySize }, (_, token) => token);
        const described = ids.filter((token) => /type|func/.test(model.detokenize([token])));
        const logitBias = new Map(described.map((token) => [token, -100]));
        const run = {
          messages: copied(7777),
          tools: [clock],
          maxTokens: 150,
          temperature: 0,
          logitBias,
        } as const;
        const { toolCalls = [], finishReason, text } = await engine.generate(run);
        expect([text, toolCalls[0]?.name, finishReason]).toEqual(["", "get_time", "tool-calls"]);
        expect([toolCalls[0]?.arguments, allows(JSON.parse(toolCalls[0]?.arguments ?? ""))]).toEqual([
          toolCalls[0]?.arguments,
          true,
        ]);
      });
    } finally {
      await model.close();
    }
  });
});
