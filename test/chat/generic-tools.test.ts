// Tools with every chat template in llama.cpp's tree: in the template's own form, or in the
// generic one. Each binds a required call, reads it, and writes past calls and their results
// into the prompt. A model of random weights never wants to call, so what calls is the grammar.
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { ChatRenderer } from "../../src/chat/renderer.js";
import { chatTemplateText } from "../../src/chat/templates.js";
import type { ToolForm } from "../../src/chat/tools.js";
import { loadModel, type Model } from "../../src/index.js";
import { chatProgram } from "../../src/native-addon.js";
import { caught } from "../helpers/caught.js";
import { eventsOf, loadEmbedded, withEngine } from "../helpers/embedded.js";
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

/** Whose templates have no place for tools, or an unknown form of calls. */
const withoutForm = [
  "ByteDance-Seed-OSS", // fails at a schema without types
  "HuggingFaceTB-SmolLM3-3B",
  "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
  "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
  "deepseek-ai-DeepSeek-V3.1",
  "fireworks-ai-llama-3-firefunction-v2",
  "google-gemma-2-2b-it",
  "ibm-granite-granite-3.3-2B-Instruct",
  "llama-cpp-rwkv-world",
  "microsoft-Phi-3.5-mini-instruct",
];
const named = ["chatml", "llama2", "llama3", "gemma"] as const;

const asked = { role: "user", content: "Which time is it in the zone where I am?" };
const call = (id: string, days: number) => ({
  id,
  name: "get_time",
  arguments: `{"zone": "cet", "days": ${days}}`,
});
const past = [
  { role: "system", content: "Answer as a sailor would." },
  asked,
  { role: "assistant", content: "I look at my watch.", toolCalls: [call("call_a", 7), call("call_b", 8)] },
  { role: "tool", toolCallId: "call_b", content: "It is past eight bells." },
  { role: "tool", toolCallId: "call_a", content: "It is half past seven." },
  { role: "user", content: "And which of them is later?" },
];

describe("tools are", () => {
  const forms = new Map<string, string>();

  it.each([...templateNames, ...named])("told, called and answered with the template %s", async (name) => {
    const template = templateNames.includes(name) ? templateText(name) : undefined;
    const chat = rendererOf(name, template);
    try {
      for (const toolForm of ["auto", "generic"] as const) {
        await works(chat, toolForm);
      }
      const own = await render(chat, "template", "required").catch((error: Error) => error);
      forms.set(name, own instanceof Error ? "generic" : "own");
    } finally {
      chat.release();
    }
  });

  it("in the generic form where the template has none", () => {
    const generic = [...forms].filter(([, form]) => form === "generic").map(([name]) => name);
    expect(generic.sort()).toEqual([...withoutForm, ...named].sort());
  });
});

function rendererOf(name: string, template: string | undefined): ChatRenderer {
  const text = template ?? chatTemplateText(name);
  return new ChatRenderer(chatProgram(), { template: text, bos: "<s>", eos: "</s>", addBos: true }, 20_000);
}

function render(
  chat: ChatRenderer,
  toolForm: ToolForm,
  choice: "auto" | "required",
  messages: readonly object[] = [asked],
) {
  return chat.render({
    messages: messages as never,
    variables: { enable_thinking: false },
    addGenerationPrompt: true,
    splitReasoning: true,
    tools: { tools: [clock, weather], choice, parallel: true },
    toolForm,
  });
}

async function works(chat: ChatRenderer, toolForm: ToolForm): Promise<void> {
  const { prompt, answer } = await render(chat, toolForm, "required");
  for (const text of [asked.content, "get_time", "get-weather", "The time in a zone."])
    expect(prompt).toContain(text);
  expect(prompt).not.toMatch(/Alias\d/);
  if (answer === undefined) throw new Error("an answer that calls has a format");
  const { answer: free } = await render(chat, toolForm, "auto");
  const start = { word: "<tool_call>", begins: "<tool_call>" };
  if (toolForm === "generic") expect([free?.lazy, free?.triggers]).toEqual([true, [start]]);
  const told = await render(chat, toolForm, "auto", past);
  for (const { content } of past) expect(told.prompt).toContain(content);
  expect(told.prompt).toMatch(/get_time[\s\S]*7[\s\S]*get_time[\s\S]*8/);
}

const small = { slots: 4, contextLength: 1024 };
const single = { tools: [clock, weather], toolChoice: { name: "get_time" }, maxTokens: 200 } as const;

/** Whose templates have no place for tools. */
function required(load: () => Promise<Model>): void {
  it("writes a required call with arguments that the tool's schema allows", async () => {
    const model = await load();
    await withEngine(model, small, async (engine) => {
      for (const seed of [1, 2, 3, 4]) {
        const run = engine.generate({ messages: [asked], ...single, seed });
        const events = await eventsOf(run);
        const { toolCalls = [], finishReason, text } = await run;
        expect([toolCalls.length, toolCalls[0]?.name, finishReason, text]).toEqual([
          1,
          "get_time",
          "tool-calls",
          "",
        ]);
        expect(allows(JSON.parse(toolCalls[0]?.arguments ?? ""))).toBe(true);
        const deltas = events.flatMap((event) => (event.type === "tool-call-delta" ? event.arguments : []));
        expect(deltas.join("")).toBe(toolCalls[0]?.arguments);
      }
      const several = engine.generate({
        messages: past,
        ...single,
        toolChoice: "required",
        parallelToolCalls: true,
      });
      for (const call of (await several).toolCalls ?? [])
        expect(["get_time", "get-weather"]).toContain(call.name);
      const none = await engine.generate({ messages: [asked], ...single, toolChoice: "none", maxTokens: 8 });
      expect(none.toolCalls).toBeUndefined();
      const refused = await caught(() =>
        engine.generate({ messages: [asked], ...single, toolForm: "template" }),
      );
      expect(refused.message).toContain("it has no place for tools");
    });
    await model.close();
  });
}

describe("the story model, without a place for tools,", () => required(loadEmbedded));
describeReal("smollm2", () => required(() => loadModel(realModelPath("smollm2"))));

describe("text that begins like a call, or is cut in one,", () => {
  it("is told as far as it came", async () => {
    const chat = rendererOf("chatml", undefined);
    const { answer } = await render(chat, "auto", "auto");
    if (answer === undefined) throw new Error("an answer that may call has a format");
    const parse = (text: string, partial: boolean) => chat.parse(answer, text, partial);
    const one = '<tool_call>\n{"name": "get_time", "arguments": {"zone": "utc", "days": 2}}\n</tool_call>';
    const two = await parse(`Well.\n${one}\n${one.replace("utc", "cet")}`, false);
    expect(two.content.trim()).toBe("Well.");
    expect(two.toolCalls.map((each) => JSON.parse(each.arguments).zone)).toEqual(["utc", "cet"]);
    const cut = await parse(one.slice(0, -30), true);
    expect(cut.toolCalls[0]).toMatchObject({ name: "get_time" });
    expect((await parse("a <tool", true)).content).toContain("a");
    chat.release();
  });
});
