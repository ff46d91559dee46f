// Anthropic's package, Vercel's AI SDK, LangChain, and RunPod's package.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import Anthropic from "@anthropic-ai/sdk";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { embed, generateObject, generateText, streamText, tool } from "ai";
import runpodSdk from "runpod-sdk";
import { expect } from "vitest";
import { z } from "zod";
import { type Client, messages, type Place, versioned, weather } from "./matrix.js";
import { untilCancelled } from "./openai.js";

const Animal = z.object({ animal: z.enum(["cat", "dog", "fox"]), legs: z.int().min(0).max(9) });
const City = z.object({ city: z.enum(["Rome", "Oslo"]) });
const model = "my-model";
const prompt = "Tell me a story about a fox.";

const claude = ({ url }: Place) => new Anthropic({ baseURL: url, apiKey: "any", maxRetries: 0 });
const request = { model, messages, max_tokens: 12, temperature: 0 };

export const anthropic: Client = {
  name: versioned("@anthropic-ai/sdk"),
  checks: {
    whole: {
      calls: "messages.create",
      async run(place) {
        const { content, usage } = await claude(place).messages.create(request);
        expect(content[0]).toMatchObject({ type: "text", text: expect.any(String) });
        expect(usage.output_tokens).toBeGreaterThan(0);
      },
    },
    stream: {
      calls: "messages.stream",
      async run(place) {
        const whole = await claude(place).messages.create(request);
        const streamed = await claude(place).messages.stream(request).finalMessage();
        expect(streamed.content).toEqual(whole.content);
      },
    },
    "left midway": {
      calls: "break",
      run: (place) =>
        untilCancelled(place, async () => {
          const endless = { ...request, max_tokens: 4000, ...({ ignore_eos: true } as object) };
          const stream = await claude(place).messages.create({ ...endless, stream: true });
          for await (const { type } of stream) if (type === "content_block_delta") break;
        }),
    },
    tools: {
      calls: "tools",
      async run(place) {
        const { parameters, ...named } = weather;
        const { content } = await claude(place).messages.create({
          ...request,
          max_tokens: 200,
          tools: [{ ...named, input_schema: parameters as Anthropic.Tool.InputSchema }],
          tool_choice: { type: "any", disable_parallel_tool_use: true },
        });
        const call = content.find(({ type }) => type === "tool_use");
        if (call?.type !== "tool_use") throw new Error("there is a call");
        expect(City.safeParse(call.input).success).toBe(true);
      },
    },
    more: {
      calls: "messages.countTokens",
      async run(place) {
        const { input_tokens } = await claude(place).messages.countTokens({ model, messages });
        expect(input_tokens).toBe((await claude(place).messages.create(request)).usage.input_tokens);
      },
    },
  },
};

function vercel({ url }: Place) {
  const named = { name: "infernode", baseURL: `${url}/v1`, apiKey: "any" };
  return createOpenAICompatible({ ...named, supportsStructuredOutputs: true, includeUsage: true });
}

export const aiSdk: Client = {
  name: `${versioned("ai")}, ${versioned("@ai-sdk/openai-compatible")}`,
  checks: {
    whole: {
      calls: "generateText",
      async run(place) {
        const { usage } = await generateText({ model: vercel(place)(model), prompt, maxOutputTokens: 12 });
        expect(usage.outputTokens).toBeGreaterThan(0);
      },
    },
    stream: {
      calls: "streamText",
      async run(place) {
        const options = { model: vercel(place)(model), prompt, maxOutputTokens: 12, temperature: 0 };
        let text = "";
        for await (const part of streamText(options).textStream) text += part;
        expect(text).toBe((await generateText(options)).text);
      },
    },
    "left midway": {
      calls: "abortSignal",
      run: (place) =>
        untilCancelled(place, async () => {
          const leaving = new AbortController();
          const stream = streamText({
            model: vercel(place)(model),
            prompt,
            maxOutputTokens: 4000,
            providerOptions: { infernode: { ignore_eos: true } },
            abortSignal: leaving.signal,
          });
          for await (const _ of stream.textStream) leaving.abort();
        }),
    },
    tools: {
      calls: "tools",
      async run(place) {
        const { toolResults } = await generateText({
          model: vercel(place)(model),
          prompt,
          tools: { weather: tool({ inputSchema: City, execute: async ({ city }) => `warm in ${city}` }) },
          toolChoice: "required",
          providerOptions: { infernode: { parallel_tool_calls: false } },
        });
        expect(toolResults[0]?.output).toMatch(/^warm in (Rome|Oslo)$/);
      },
    },
    "JSON by a schema": {
      calls: "generateObject",
      async run(place) {
        const { object } = await generateObject({ model: vercel(place)(model), schema: Animal, prompt });
        expect(Animal.safeParse(object).success).toBe(true);
      },
    },
    embeddings: {
      calls: "embed",
      async run(place) {
        const given = { model: vercel(place).textEmbeddingModel(model), value: "A fox ran." };
        expect(Math.hypot(...(await embed(given)).embedding)).toBeCloseTo(1, 5);
      },
    },
  },
};

const langchain = ({ url }: Place, more: object = {}) =>
  new ChatOpenAI({
    model,
    apiKey: "any",
    maxRetries: 0,
    maxTokens: 12,
    temperature: 0,
    configuration: { baseURL: `${url}/v1` },
    ...more,
  });

export const langChain: Client = {
  name: versioned("@langchain/openai"),
  checks: {
    whole: {
      calls: "invoke",
      async run(place) {
        const { usage_metadata: usage } = await langchain(place).invoke(prompt);
        expect(usage).toMatchObject({ output_tokens: expect.any(Number) });
      },
    },
    stream: {
      calls: "stream",
      async run(place) {
        let text = "";
        for await (const chunk of await langchain(place).stream(prompt)) text += chunk.text;
        expect(text).toBe((await langchain(place).invoke(prompt)).text);
      },
    },
    "left midway": {
      calls: "signal",
      run: (place) =>
        untilCancelled(place, async () => {
          const leaving = new AbortController();
          const endless = langchain(place, { maxTokens: 4000, modelKwargs: { ignore_eos: true } });
          const read = async () => {
            for await (const _ of await endless.stream(prompt, { signal: leaving.signal })) leaving.abort();
          };
          await read().catch(() => {});
        }),
    },
    tools: {
      calls: "bindTools",
      async run(place) {
        const tools = [{ type: "function" as const, function: weather }];
        const bound = langchain(place, { maxTokens: 200 }).bindTools(tools, {
          tool_choice: "required",
          parallel_tool_calls: false,
        });
        expect(City.safeParse((await bound.invoke(prompt)).tool_calls?.[0]?.args).success).toBe(true);
      },
    },
    "JSON by a schema": {
      calls: "withStructuredOutput",
      async run(place) {
        const asked = langchain(place, { maxTokens: 200 }).withStructuredOutput(Animal, {
          method: "jsonSchema",
        });
        expect(Animal.safeParse(await asked.invoke(prompt)).success).toBe(true);
      },
    },
    embeddings: {
      calls: "OpenAIEmbeddings",
      async run({ url }) {
        const configuration = { baseURL: `${url}/v1` };
        const embeddings = new OpenAIEmbeddings({ model, apiKey: "any", configuration });
        expect(Math.hypot(...(await embeddings.embedQuery("A fox ran.")))).toBeCloseTo(1, 5);
      },
    },
  },
};

function endpointOf({ url }: Place) {
  const endpoint = runpodSdk("any", { baseUrl: `${url}/v2` }).endpoint("my-endpoint");
  if (endpoint === null) throw new Error("there is an endpoint");
  return endpoint;
}
const input = { prompt, params: { max_tokens: 8, temperature: 0 } };

export const runpod: Client = {
  name: versioned("runpod-sdk"),
  checks: {
    whole: {
      calls: "runSync",
      async run(place) {
        expect(await endpointOf(place).runSync({ input })).toMatchObject({ status: "COMPLETED" });
      },
    },
    stream: {
      calls: "stream",
      async run(place) {
        const endpoint = endpointOf(place);
        const { id } = await endpoint.run({ input: { ...input, stream: true } });
        let text = "";
        for await (const { output } of endpoint.stream(id)) text += output.generated_text;
        expect(text).toBe((await endpoint.runSync({ input })).output.generated_text);
      },
    },
    "left midway": {
      calls: "cancel",
      run: (place) =>
        untilCancelled(place, async () => {
          const { running } = place.stats();
          const openai_input = { messages, max_tokens: 4000, ignore_eos: true };
          const { id } = await endpointOf(place).run({ input: { openai_input } });
          while (place.stats().running === running) await new Promise((resolve) => setImmediate(resolve));
          expect(await endpointOf(place).cancel(id)).toMatchObject({ status: "CANCELLED" });
        }),
    },
    more: {
      calls: "run, status, health",
      async run(place) {
        const endpoint = endpointOf(place);
        const { id } = await endpoint.run({ input });
        while ((await endpoint.status(id)).status !== "COMPLETED");
        expect((await endpoint.health()).jobs.completed).toBeGreaterThan(0);
      },
    },
  },
};
