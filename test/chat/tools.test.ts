// generate({ messages, tools }): calls and thoughts come apart from the text, and a
// required call is one, whatever the model would rather say. The embedded model
// knows no tools: its words between what the format demands are beside the point.
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedModelPath, loadModel, type Model, type Tool } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { eventsOf, withEngine } from "../helpers/embedded.js";
import { templateText } from "../helpers/templates.js";

const parameters = {
  type: "object",
  properties: { unit: { enum: ["celsius", "kelvin"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
  required: ["unit", "days"],
  additionalProperties: false,
};
const weather: Tool = { name: "get_weather", description: "The weather.", parameters };
const clock: Tool = { name: "clock" };
const messages = [{ role: "user", content: "Is it warm?" }];
const small = { slots: 4, contextLength: 1024 };

/** An answer in this format begins with a tool's name or with "all", to say something. */
const direct = "meetkai-functionary-medium-v3.2";
const thinking = "Qwen-QwQ-32B";

/** Where a second call would begin. */
const next = ">>>";

/** Bias against saying something. */
function mute(model: Model): Map<number, number> {
  const ids = Array.from({ length: model.info.vocabularySize }, (_, token) => token);
  return new Map(
    ids.filter((token) => /^\s*a/.test(model.detokenize([token]))).map((token) => [token, -100]),
  );
}

async function withTemplate<Value>(name: string, work: (model: Model) => Promise<Value>): Promise<Value> {
  const model = await loadModel(embeddedModelPath(), { chatTemplate: templateText(name) });
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}

describe("a required call", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(embeddedModelPath(), { chatTemplate: templateText(direct) });
  });
  afterAll(() => model.close());

  it("is made, with arguments that the tool's schema allows", async () => {
    const allows = new Ajv().compile(parameters);
    const reasons = new Set<string>(); // a call that goes on and on ends at maxTokens
    await withEngine(model, small, async (engine) => {
      for (const seed of [1, 2, 3, 4]) {
        const run = engine.generate({
          messages,
          tools: [weather],
          toolChoice: "required",
          seed,
          maxTokens: 200,
          logitBias: mute(model),
          stop: next,
        });
        const { toolCalls, finishReason, text } = await run;
        reasons.add(finishReason);
        expect(text).toBe("");
        expect(toolCalls?.[0]).toMatchObject({ name: "get_weather" });
        expect(toolCalls?.[0]?.id).toMatch(/^call_[0-9a-f]{24}$/);
        expect(allows(JSON.parse(toolCalls?.[0]?.arguments ?? ""))).toBe(true);
      }
    });
    expect(reasons).toContain("tool-calls");
  });

  it("is of the tool that was named", async () => {
    await withEngine(model, small, async (engine) => {
      const toolChoice = { name: "clock" };
      const run = engine.generate({
        messages,
        tools: [weather, clock],
        toolChoice,
        maxTokens: 200,
        logitBias: mute(model),
        stop: next,
      });
      const { toolCalls = [] } = await run;
      expect(new Set(toolCalls.map((call) => call.name))).toEqual(new Set(["clock"]));
    });
  });

  it("comes as deltas that join to it, with every token in one of them", async () => {
    await withEngine(model, small, async (engine) => {
      const run = engine.generate({
        messages,
        tools: [weather],
        toolChoice: "required",
        seed: 1,
        logProbs: 0,
        n: 2,
        logitBias: mute(model),
        stop: next,
      });
      const events = await eventsOf(run);
      const result = await run;
      for (const choice of result.choices) {
        const calls: string[] = [];
        for (const event of events) {
          if (event.type !== "tool-call-delta" || event.choiceIndex !== choice.index) continue;
          calls[event.toolCallIndex] = (calls[event.toolCallIndex] ?? "") + event.arguments;
        }
        expect(choice.toolCalls?.map((call) => call.arguments)).toEqual(calls);
        expect(choice.finishReason).toBe("tool-calls");
        expect(choice.logProbs?.map((each) => each.token)).toEqual(choice.tokens);
      }
      const ended = events.filter((event) => event.type === "choice-end");
      expect(ended.map((event) => event.finishReason)).toEqual(["tool-calls", "tool-calls"]);
      expect(result.choices.reduce((sum, choice) => sum + choice.tokens.length, 0)).toBe(
        result.usage.completionTokens,
      );
    });
  });

  it("goes on in a conversation that holds the call and its result", async () => {
    const past = [
      ...messages,
      {
        role: "assistant",
        toolCalls: [{ id: "call_1", name: "get_weather", arguments: { unit: "kelvin", days: 1 } }],
      },
      { role: "tool", toolCallId: "call_1", content: "295" },
    ];
    const { prompt } = await model.renderChat(past, { tools: [weather] });
    for (const part of ["get_weather", "kelvin", "295"]) expect(prompt).toContain(part);
    await withEngine(model, small, async (engine) => {
      const { text, toolCalls } = await engine.generate({ messages: past, tools: [weather], maxTokens: 12 });
      expect(text.length).toBeGreaterThan(0);
      expect(toolCalls).toBeUndefined();
    });
  });
});

describe("thoughts", () => {
  it("are told apart from the text, token for token what comes without", async () => {
    await withTemplate(thinking, async (model) => {
      await withEngine(model, small, async (engine) => {
        const options = { messages, maxTokens: 300, temperature: 0, ignoreEos: true };
        const events = await eventsOf(engine.generate(options));
        const apart = await engine.generate(options);
        const inline = await engine.generate({ ...options, splitReasoning: false });
        expect(apart.reasoning?.trim()).toBe(inline.text.trim());
        expect(apart.text).toBe("");
        expect(inline.reasoning).toBeUndefined();
        expect(apart.tokens).toEqual(inline.tokens);
        expect(events.filter((event) => event.type === "reasoning-delta").length).toBeGreaterThan(2);
      });
    });
  });

  it("come before JSON that a schema binds, where the template thinks", async () => {
    await withTemplate("Qwen-Qwen3-0.6B", async (model) => {
      await withEngine(model, small, async (engine) => {
        const chatVariables = { enable_thinking: false };
        const run = engine.generate({ messages, chatVariables, jsonSchema: parameters, maxTokens: 200 });
        const { text, finishReason } = await run;
        expect(finishReason).toBe("stop");
        expect(new Ajv().compile(parameters)(JSON.parse(text))).toBe(true);
      });
    });
  });

  it("are left alone where the text is bound by its user", async () => {
    await withTemplate(thinking, async (model) => {
      await withEngine(model, small, async (engine) => {
        const { text, reasoning } = await engine.generate({ messages, choice: ["yes", "no"] });
        expect(["yes", "no"]).toContain(text);
        expect(reasoning).toBeUndefined();
      });
    });
  });

  it("that nobody reads hold the generation back, and read ones do not", async () => {
    await withTemplate(thinking, async (model) => {
      await withEngine(model, { ...small, slots: 1 }, async (engine) => {
        const options = { messages, maxTokens: 700, temperature: 0, ignoreEos: true };
        expect((await engine.generate(options)).usage.completionTokens).toBe(700);
        expect((await eventsOf(engine.generate(options))).at(-1)).toMatchObject({
          usage: { completionTokens: 700 },
        });
      });
    });
  });

  it("of a fork are told apart too", async () => {
    await withTemplate(thinking, async (model) => {
      await withEngine(model, small, async (engine) => {
        const run = engine.generate({ messages, maxTokens: 64, ignoreEos: true, temperature: 0 });
        const forked = engine.fork(run);
        const [one, other] = [await run, await forked];
        expect(other.reasoning).toBe(one.reasoning);
        expect(other.text).toBe("");
      });
    });
  });

  it("stop with their generation", async () => {
    await withTemplate(thinking, async (model) => {
      await withEngine(model, small, async (engine) => {
        const run = engine.generate({ messages, ignoreEos: true });
        const events = run[Symbol.asyncIterator]();
        await events.next();
        run.cancel();
        const { finishReason, reasoning } = await run;
        expect(finishReason).toBe("cancelled");
        expect(reasoning?.length).toBeGreaterThan(0);
      });
    });
  });
});

describe("what cannot be", () => {
  it.each([
    [{ tools: Array(129).fill(clock) }, "tools must be an array of at most 128 tools"],
    [{ tools: [], toolChoice: "required" }, 'toolChoice must be "auto" or "none" where tools is empty'],
    [{ tools: [{ name: "a b" }] }, "tools[0].name must be a name of 1 to 64 letters"],
    [
      { tools: [{ name: "a", parameters: { type: "array" } }] },
      "tools[0].parameters must be a JSON schema of an object",
    ],
    [{ tools: [clock, clock] }, 'tools must have different names, got "clock" twice'],
    [{ tools: [clock], toolChoice: "maybe" }, 'toolChoice must be "auto", "required", "none" or { name }'],
    [
      { tools: [clock], toolChoice: { name: "watch" } },
      'toolChoice must name one of the tools, clock; got "watch"',
    ],
    [{ toolChoice: "auto" }, "toolChoice must come with tools"],
    [{ parallelToolCalls: true }, "parallelToolCalls must come with tools"],
    [
      { tools: [clock], regex: "a" },
      "give tools or a constraint (grammar, jsonSchema, regex, choice), not both",
    ],
    [
      { tools: [clock], jsonSchema: {} },
      "give tools or a constraint (grammar, jsonSchema, regex, choice), not both",
    ],
    [{ messages: [{ role: "assistant" }] }, "messages[0] must be a message with content or toolCalls"],
  ])("is refused by name: %j", async (options, sentence) => {
    await withTemplate(direct, async (model) => {
      await withEngine(model, small, async (engine) => {
        const error = await caught(() => engine.generate({ messages, ...options } as never));
        expect(error.code).toBe("INVALID_OPTION");
        expect(error.message).toContain(sentence);
      });
    });
  });

  it("is refused with a prompt instead of messages", async () => {
    await withTemplate(direct, async (model) => {
      await withEngine(model, small, async (engine) => {
        for (const option of [{ tools: [clock] }, { splitReasoning: true }, { toolForm: "auto" }]) {
          // @ts-expect-error: of conversations only
          const error = await caught(() => engine.generate({ prompt: "a", ...option }));
          expect(error.message).toMatch(/must come with messages/);
        }
      });
    });
  });

  it("is a tool in the form of a template that has none", async () => {
    for (const name of ["google-gemma-2-2b-it", "ibm-granite-granite-3.3-2B-Instruct"]) {
      await withTemplate(name, async (model) => {
        await withEngine(model, small, async (engine) => {
          const error = await caught(async () =>
            engine.generate({ messages, tools: [weather], toolForm: "template" }),
          );
          expect(error.code).toBe("CHAT_TEMPLATE_FAILED");
          expect(error.message).toMatch(/no place for tools|form in which it writes tool calls/);
        });
      });
    }
  });
});
