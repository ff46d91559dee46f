// A call that is required is made, whatever the model would rather say: over every chat
// template in llama.cpp's tree, in its own form or the generic one, with a model of random
// weights, which never wants to call.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AnswerFormat } from "../../src/chat/answer.js";
import type { Conversation } from "../../src/chat/messages.js";
import { ChatRenderer } from "../../src/chat/renderer.js";
import { type Engine, loadModel, type Model } from "../../src/index.js";
import { chatProgram } from "../../src/native-addon.js";
import { templateNames, templateText } from "../helpers/templates.js";

const reluctant = "synthetic:llama?layers=1&dim=64&context=16384";
const messages = [{ role: "user", content: "Tell me a story." }];
const parameters = {
  type: "object",
  properties: { zone: { type: "string", enum: ["utc", "cet"] } },
  required: ["zone"],
  additionalProperties: false,
};
const clock = { name: "get_time", description: "The time.", parameters };
const weather = { name: "get-weather", description: "The weather." };
const maxTokens = 400;

const choices = {
  required: { tools: [clock], toolChoice: "required" },
  "required, of two": { tools: [clock, weather], toolChoice: "required", parallelToolCalls: true },
  named: { tools: [weather, clock], toolChoice: { name: "get_time" } },
  "named, thoughts inline": { tools: [clock], toolChoice: { name: "get_time" }, splitReasoning: false },
} as const;

/** A format's grammar in which there is a thought, and it is "Hm.". */
function withThought({ grammar, parser }: AnswerFormat): string {
  interface Part {
    readonly tag?: string;
    readonly child?: number;
  }
  const { parsers } = JSON.parse(parser) as { readonly parsers: readonly Part[] };
  return parsers.reduce((text, { tag, child }) => {
    if (tag !== "reasoning") return text;
    const optional = new RegExp(`(\\([^()]*until-${child} (?:\\([^()]*\\))?[^()]*\\))\\?`);
    const rule = new RegExp(`^until-${child} ::= .*$`, "m");
    return text.replace(optional, "$1").replace(rule, `until-${child} ::= "Hm."`);
  }, grammar);
}

describe.each(templateNames)("%s", (name) => {
  let model: Model;
  let engine: Engine;
  let chat: ChatRenderer;
  beforeAll(async () => {
    const template = templateText(name);
    model = await loadModel(reluctant, { chatTemplate: template });
    engine = await model.createEngine({ slots: 4, threads: 1 });
    chat = new ChatRenderer(chatProgram(), { template, bos: "<s>", eos: "</s>", addBos: true });
  });
  afterAll(async () => {
    chat.release();
    await engine.close();
    await model.close();
  });

  async function written(thinks: boolean) {
    const conversation: Conversation = {
      messages,
      variables: { enable_thinking: thinks },
      addGenerationPrompt: true,
      tools: { tools: [clock], choice: "required", parallel: false },
      splitReasoning: true,
    };
    const { prompt, answer } = await chat.render(conversation);
    if (answer === undefined) throw new Error("an answer that calls has a format");
    return { prompt, answer };
  }

  it.each([true, false])("calls first, unless the prompt begins a thought (thinking: %s)", async (thinks) => {
    const { answer } = await written(thinks);
    const asked = { messages, chatVariables: { enable_thinking: thinks }, maxTokens, temperature: 0 };
    for (const choice of Object.values(choices)) {
      const { text, reasoning = "", toolCalls = [] } = await engine.generate({ ...asked, ...choice });
      if (answer.thinking) {
        expect(toolCalls).toEqual([]);
        expect((reasoning || text).length).toBeGreaterThan(50);
        if (!("splitReasoning" in choice)) expect(text).toBe("");
        continue;
      }
      expect(choice.tools.map((tool) => tool.name)).toContain(toolCalls[0]?.name);
      if (!("splitReasoning" in choice)) expect({ text, reasoning }).toEqual({ text: "", reasoning: "" });
    }
  });

  it("calls after a thought that ends", async () => {
    const { prompt, answer } = await written(true);
    if (!answer.thinking) return;
    const grammar = withThought(answer);
    expect(grammar).not.toBe(answer.grammar);
    expect(prompt.endsWith(answer.generationPrompt)).toBe(true);
    // The model writes the prompt's end itself: a caller's grammar begins with the text.
    const before = prompt.slice(0, -answer.generationPrompt.length);
    const { text } = await engine.generate({ prompt: before, grammar, maxTokens, temperature: 0 });
    const said = await chat.parse({ ...answer, generationPrompt: "" }, text, true);
    expect(said.content.trim()).toBe("");
    expect(said.reasoning).toContain("Hm.");
    expect(said.toolCalls.map((call) => call.name)).toEqual(["get_time"]);
  });
});
