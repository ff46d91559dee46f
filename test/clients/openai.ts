// OpenAI's package: chat, completions, responses and embeddings.

import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { expect } from "vitest";
import { z } from "zod";
import { type Client, messages, type Place, versioned, weather } from "./matrix.js";

const Animal = z.object({ animal: z.enum(["cat", "dog", "fox"]), legs: z.int().min(0).max(9) });
const model = "my-model";
const chat = { model, messages, max_tokens: 12, temperature: 0 };
const endless = { model, messages, max_tokens: 4000, ...({ ignore_eos: true } as object) };
const openai = ({ url }: Place) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 });
const cities = ["Rome", "Oslo"];

/** The calls that clients left are cancelled by the engine. */
export async function untilCancelled({ stats }: Place, work: () => Promise<void>): Promise<void> {
  const { cancelled } = stats();
  await work();
  while (stats().cancelled === cancelled || stats().running > 0)
    await new Promise((resolve) => setImmediate(resolve));
}

export const chatCompletions: Client = {
  name: `${versioned("openai")}, chat`,
  checks: {
    whole: {
      calls: "chat.completions.create",
      async run(place) {
        const { choices, usage } = await openai(place).chat.completions.create(chat);
        expect(choices[0]?.message.content).toEqual(expect.any(String));
        expect(usage?.total_tokens).toBe((usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0));
      },
    },
    stream: {
      calls: "stream: true",
      async run(place) {
        const whole = await openai(place).chat.completions.create(chat);
        let text = "";
        for await (const chunk of await openai(place).chat.completions.create({ ...chat, stream: true }))
          text += chunk.choices[0]?.delta.content ?? "";
        expect(text).toBe(whole.choices[0]?.message.content);
      },
    },
    "left midway": {
      calls: "break",
      run: (place) =>
        untilCancelled(place, async () => {
          for await (const _ of await openai(place).chat.completions.create({ ...endless, stream: true }))
            break;
        }),
    },
    tools: {
      calls: "tools",
      async run(place) {
        const { choices } = await openai(place).chat.completions.create({
          ...chat,
          max_tokens: 200,
          tools: [{ type: "function", function: weather }],
          tool_choice: "required",
          parallel_tool_calls: false,
        });
        const call = choices[0]?.message.tool_calls?.[0];
        if (call?.type !== "function") throw new Error("there is a call");
        expect(cities).toContain(JSON.parse(call.function.arguments).city);
      },
    },
    "JSON by a schema": {
      calls: "chat.completions.parse",
      async run(place) {
        const response_format = zodResponseFormat(Animal, "animal");
        const { choices } = await openai(place).chat.completions.parse({ model, messages, response_format });
        expect(Animal.safeParse(choices[0]?.message.parsed).success).toBe(true);
      },
    },
    embeddings: {
      calls: "embeddings.create",
      async run(place) {
        const { data } = await openai(place).embeddings.create({ model, input: ["A fox ran.", "A dog."] });
        expect(data.map(({ embedding }) => Math.round(Math.hypot(...embedding) * 1000))).toEqual([
          1000, 1000,
        ]);
      },
    },
    more: {
      calls: "models.list",
      async run(place) {
        expect((await openai(place).models.list()).data[0]?.id).toBe(model);
      },
    },
  },
};

export const completions: Client = {
  name: `${versioned("openai")}, completions`,
  checks: {
    whole: {
      calls: "completions.create",
      async run(place) {
        const prompts = { model, prompt: ["Once", "The fox"], max_tokens: 4, n: 2 };
        expect((await openai(place).completions.create(prompts)).choices).toHaveLength(4);
      },
    },
    stream: {
      calls: "stream: true",
      async run(place) {
        const request = { model, prompt: "Once", max_tokens: 8, temperature: 0 };
        const whole = await openai(place).completions.create(request);
        let text = "";
        for await (const chunk of await openai(place).completions.create({ ...request, stream: true }))
          text += chunk.choices[0]?.text ?? "";
        expect(text).toBe(whole.choices[0]?.text);
      },
    },
  },
};

const input = "Tell me a story about a fox.";

export const responses: Client = {
  name: `${versioned("openai")}, responses`,
  checks: {
    whole: {
      calls: "responses.create",
      async run(place) {
        const response = await openai(place).responses.create({ model, input, max_output_tokens: 16 });
        expect(response.output_text).toEqual(expect.any(String));
        expect(response.usage?.output_tokens).toBeGreaterThan(0);
      },
    },
    stream: {
      calls: "responses.stream",
      async run(place) {
        let text = "";
        const stream = openai(place).responses.stream({
          model,
          input,
          max_output_tokens: 16,
          temperature: 0,
        });
        stream.on("response.output_text.delta", ({ delta }) => {
          text += delta;
        });
        expect((await stream.finalResponse()).output_text).toBe(text);
      },
    },
    "left midway": {
      calls: "break",
      run: (place) =>
        untilCancelled(place, async () => {
          const request = { model, input, max_output_tokens: 4000, ...({ ignore_eos: true } as object) };
          const stream = await openai(place).responses.create({ ...request, stream: true });
          for await (const { type } of stream) if (type === "response.output_text.delta") break;
        }),
    },
    tools: {
      calls: "tools",
      async run(place) {
        const { output } = await openai(place).responses.create({
          model,
          input,
          max_output_tokens: 200,
          tools: [{ type: "function", strict: true, ...weather }],
          tool_choice: "required",
          parallel_tool_calls: false,
        });
        const call = output.find(({ type }) => type === "function_call");
        if (call?.type !== "function_call") throw new Error("there is a call");
        expect(cities).toContain(JSON.parse(call.arguments).city);
      },
    },
    "JSON by a schema": {
      calls: "responses.parse",
      async run(place) {
        const text = { format: zodTextFormat(Animal, "animal") };
        const { output_parsed } = await openai(place).responses.parse({ model, input, text });
        expect(Animal.safeParse(output_parsed).success).toBe(true);
      },
    },
    more: {
      calls: "previous_response_id",
      async run(place) {
        const first = await openai(place).responses.create({ model, input, max_output_tokens: 16 });
        const next = { model, input: "And then?", previous_response_id: first.id, max_output_tokens: 16 };
        const second = await openai(place).responses.create(next);
        expect(second.usage?.input_tokens).toBeGreaterThan(first.usage?.input_tokens ?? 0);
      },
    },
  },
};
