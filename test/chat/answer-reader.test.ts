// Answers are taken apart while they come. The judges are the templates that
// models were trained on: what a template writes for a past answer is what its
// model would say, and llama.cpp's own parser reads the whole of it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AnswerDelta, AnswerFormat, ParsedAnswer } from "../../src/chat/answer.js";
import { AnswerReader } from "../../src/chat/answer-reader.js";
import type { ChatMessage, Conversation } from "../../src/chat/messages.js";
import { ChatRenderer } from "../../src/chat/renderer.js";
import { chatProgram } from "../../src/native-addon.js";
import { seededRandom } from "../helpers/embedded.js";
import { templateNames, templateText } from "../helpers/templates.js";

const tools = [
  {
    name: "get_weather",
    description: "The weather of a place.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" } },
      required: ["city"],
    },
  },
  {
    name: "roll",
    parameters: { type: "object", properties: { sides: { type: "integer" } }, required: ["sides"] },
  },
];

const question: ChatMessage = { role: "user", content: "What is the weather?" };
const weather = (args: Record<string, unknown>) => [
  { id: "call_1abcdefg", name: "get_weather", arguments: args },
];

/** What a model may answer. */
const answers: readonly ChatMessage[] = [
  { role: "assistant", content: "It is <b>warm</b> {today}, they say." },
  { role: "assistant", content: "", toolCalls: weather({ city: "Rome", days: 3 }) },
  { role: "assistant", content: "Let me look.", toolCalls: weather({ city: "Saint-Tropez, Zürich 😀" }) },
  { role: "assistant", reasoning: "A question.\n\nI wonder.", content: "It is warm." },
  {
    role: "assistant",
    reasoning: "I should roll.",
    content: "",
    toolCalls: [{ id: "call_2abcdefg", name: "roll", arguments: { sides: 6 } }],
  },
];

/** Templates that write all of these answers out, thoughts included. */
const faithful = [
  "ByteDance-Seed-OSS",
  "GLM-4.6",
  "Kimi-K3",
  "LFM2.5-8B-A1B",
  "Qwen-Qwen3-0.6B",
  "Qwen3.5-4B",
  "Reka-Edge",
  "StepFun3.5-Flash",
  "deepseek-ai-DeepSeek-V3.2",
  "deepseek-ai-DeepSeek-V4",
  "inclusionai-ling-3.0-flash",
  "mistralai-Ministral-3-14B-Reasoning-2512",
  "poolside-Laguna-S-2.1",
];

interface Spoken {
  readonly text: string;
  readonly format: AnswerFormat;
}

describe("an answer", () => {
  let chat: ChatRenderer;
  beforeAll(() => {
    chat = new ChatRenderer(chatProgram(), { template: undefined, bos: "<s>", eos: "</s>", addBos: true });
  });
  afterAll(() => chat.release());

  function rendererOf(template: string): ChatRenderer {
    const model = { template: templateText(template), bos: "<s>", eos: "</s>", addBos: true };
    return new ChatRenderer(chatProgram(), model);
  }

  function conversation(messages: readonly ChatMessage[], addGenerationPrompt: boolean): Conversation {
    const judged = { tools, choice: "auto", parallel: undefined } as const;
    return { messages, variables: {}, addGenerationPrompt, tools: judged, splitReasoning: true };
  }

  /** The texts that would have been generated, without what ends a turn; undefined where they are not a continuation. */
  async function spoken(own: ChatRenderer): Promise<(Spoken | undefined)[]> {
    const { prompt, answer } = await own.render(conversation([question], true));
    if (answer === undefined) return [];
    const plain: ChatMessage = { role: "assistant", content: "Something else." };
    const closed = (await own.render(conversation([question, plain], false))).prompt;
    const turnEnd = closed.slice(closed.lastIndexOf("Something else.") + "Something else.".length);
    const texts = answers.map(async (message) => {
      const whole = (await own.render(conversation([question, message], false)).catch(() => undefined))
        ?.prompt;
      if (whole === undefined || !whole.startsWith(prompt)) return undefined;
      const text = whole.slice(prompt.length);
      return {
        text: text.endsWith(turnEnd) ? text.slice(0, text.length - turnEnd.length) : text,
        format: answer,
      };
    });
    return Promise.all(texts);
  }

  interface Heard {
    readonly parsed: Omit<ParsedAnswer, "open">;
    readonly asked: number;
    readonly deltas: readonly AnswerDelta[];
  }

  /** What a reader makes of a text in pieces of these lengths. */
  async function heard(
    own: ChatRenderer,
    { text, format }: Spoken,
    length: () => number,
    waits = false,
  ): Promise<Heard> {
    const deltas: AnswerDelta[] = [];
    let asked = 0;
    let answered = 0;
    const parse = async (piece: string, partial: boolean) => {
      asked += 1;
      try {
        return await own.parse(format, piece, partial);
      } finally {
        answered += 1;
      }
    };
    const reader = new AnswerReader(format, parse, (delta) => deltas.push(delta));
    for (let at = 0; at < text.length; ) {
      const end = at + length();
      reader.add(text.slice(at, end));
      at = end;
      do await new Promise((resolve) => setImmediate(resolve));
      while (waits && answered < asked);
    }
    await reader.finish(true);
    return { parsed: joined(deltas), asked, deltas };
  }

  function joined(deltas: readonly AnswerDelta[]): Omit<ParsedAnswer, "open"> {
    const said = { content: "", reasoning: "" };
    const toolCalls: { id: string; name: string; arguments: string }[] = [];
    for (const delta of deltas) {
      if (delta.type !== "tool-call") said[delta.type] += delta.text;
      else if (toolCalls[delta.index] === undefined) {
        toolCalls[delta.index] = { id: delta.id, name: delta.name, arguments: delta.text };
      } else {
        const call = toolCalls[delta.index];
        if (call !== undefined) call.arguments += delta.text;
      }
    }
    return { ...said, toolCalls };
  }

  const trimmed = ({ content, reasoning, toolCalls }: Omit<ParsedAnswer, "open">) => ({
    content: content.trim(),
    reasoning: reasoning.trim(),
    toolCalls: toolCalls.map(({ name, arguments: text }) => ({ name, arguments: text })),
  });

  it.each(faithful)("written by %s is what was meant", async (name) => {
    const own = rendererOf(name);
    try {
      const texts = await spoken(own);
      let compared = 0;
      for (const [index, each] of texts.entries()) {
        const meant = answers[index];
        if (each === undefined || meant === undefined) continue;
        const { content, reasoning, toolCalls } = (await heard(own, each, () => 3)).parsed;
        expect({ content: content.trim(), reasoning: reasoning.trim() }).toEqual({
          content: meant.content,
          reasoning: meant.reasoning ?? "",
        });
        const calls = toolCalls.map((call) => ({ name: call.name, arguments: JSON.parse(call.arguments) }));
        expect(calls).toEqual(
          (meant.toolCalls ?? []).map((call) => ({ name: call.name, arguments: call.arguments })),
        );
        compared += 1;
      }
      expect(compared).toBeGreaterThanOrEqual(2);
    } finally {
      own.release();
    }
  });

  it("comes to the same whenever the parser answers", async () => {
    const random = seededRandom(1);
    const moment = async () => {
      for (let turns = Math.floor(random() * 8); turns > 0; turns -= 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const own = rendererOf("Qwen-Qwen3-0.6B");
    const each = (await spoken(own))[4];
    if (each === undefined) throw new Error("the template does not write a thought and a call");
    const whole = await own.parse(each.format, each.text, false);
    for (let round = 0; round < 60; round += 1) {
      const deltas: AnswerDelta[] = [];
      const parse = async (piece: string, partial: boolean) => {
        const parsed = await own.parse(each.format, piece, partial);
        await moment();
        return parsed;
      };
      const reader = new AnswerReader(each.format, parse, (delta) => deltas.push(delta));
      for (let at = 0; at < each.text.length; ) {
        const end = at + 1 + Math.floor(random() * 12);
        reader.add(each.text.slice(at, end));
        at = end;
        await moment();
        if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await reader.finish(true);
      expect(trimmed(joined(deltas))).toEqual(trimmed(whole));
    }
    own.release();
  });

  it("comes to the same in whatever pieces it comes", async () => {
    const random = seededRandom(5);
    let compared = 0;
    for (const name of templateNames) {
      const own = rendererOf(name);
      const texts = await spoken(own).catch(() => []);
      for (const each of texts) {
        if (each === undefined) continue;
        const whole = await own.parse(each.format, each.text, false).catch(() => undefined);
        if (whole === undefined) continue;
        for (const length of [() => 1, () => 1 + Math.floor(random() * 12), () => each.text.length]) {
          const { parsed } = await heard(own, each, length);
          expect({ name, ...trimmed(parsed) }).toEqual({ name, ...trimmed(whole) });
          compared += 1;
        }
      }
      own.release();
    }
    expect(compared).toBeGreaterThan(400);
  }, 120_000);

  it("comes to the same wherever it is looked at first", async () => {
    const wrong: string[] = [];
    let compared = 0;
    for (const name of templateNames) {
      const own = rendererOf(name);
      const texts = await spoken(own).catch(() => []);
      for (const each of texts) {
        const whole = each && (await own.parse(each.format, each.text, false).catch(() => undefined));
        if (each === undefined || whole === undefined) continue;
        for (let cut = 1 + (compared % 3); cut < each.text.length; cut += 3) {
          let turn = 0;
          const length = () => {
            turn += 1;
            return turn === 1 ? cut : each.text.length;
          };
          const { parsed } = await heard(own, each, length, true);
          compared += 1;
          if (JSON.stringify(trimmed(parsed)) === JSON.stringify(trimmed(whole))) continue;
          wrong.push(`${name}: ${JSON.stringify(each.text.slice(0, cut))} gave ${JSON.stringify(parsed)}`);
        }
      }
      own.release();
    }
    expect(wrong).toEqual([]);
    expect(compared).toBeGreaterThan(4000);
  }, 300_000);

  it("is parsed where markers stand, not at each token", async () => {
    const own = rendererOf("Qwen-Qwen3-0.6B");
    try {
      const { answer: format } = await own.render(conversation([question], true));
      if (format === undefined) throw new Error("the template has a format");
      const long = "All is <well> said the owl. ".repeat(400);
      const text = `<think>\n${long}</think>\n\n${long}`;
      const { parsed, asked, deltas } = await heard(own, { text, format }, () => 4, true);
      expect(parsed.content.trim() === long.trim()).toBe(true);
      expect(parsed.reasoning.trim() === long.trim()).toBe(true);
      expect(asked).toBeLessThan(40); // of 5,600 pieces
      expect(deltas.length).toBeGreaterThan(1000);
    } finally {
      own.release();
    }
  });

  it("full of markers costs work in proportion to its length", async () => {
    const own = rendererOf("meta-llama-Llama-3.1-8B-Instruct");
    try {
      const { answer: format } = await own.render(conversation([question], true));
      if (format === undefined) throw new Error("the template has a format");
      const { asked } = await heard(own, { text: "a { b } ".repeat(500), format }, () => 2);
      expect(asked).toBeLessThan(150); // of 2,000 pieces
    } finally {
      own.release();
    }
  });

  it("that is not of its format comes as text", async () => {
    const own = rendererOf("Qwen-Qwen2.5-7B-Instruct");
    try {
      const { answer: format } = await own.render(conversation([question], true));
      if (format === undefined) throw new Error("the template has a format");
      const text = 'Sure.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": ';
      const { parsed } = await heard(own, { text: `${text}oops}}`, format }, () => 5);
      expect(parsed).toEqual({ content: `${text}oops}}`, reasoning: "", toolCalls: [] });
    } finally {
      own.release();
    }
  });
});
