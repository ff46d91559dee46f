// The clients people use, against a worker on the emulated platform: OpenAI's and
// RunPod's own packages, unchanged.
import OpenAI from "openai";
import runpodSdk from "runpod-sdk";
import { describe, expect, it } from "vitest";
import type { Platform } from "../../tools/platform-emulator/index.mjs";
import { withTextWorker } from "./scene.js";

const messages = [{ role: "user" as const, content: "Tell me a story about a fox." }];

function openai(platform: Platform): OpenAI {
  return new OpenAI({ apiKey: "secret-key", baseURL: `${platform.url}/v2/ep/openai/v1`, maxRetries: 0 });
}

describe("the openai package", () => {
  it("lists models and completes, whole and streamed alike", async () => {
    await withTextWorker({}, async ({ platform }) => {
      const client = openai(platform);
      expect((await client.models.list()).data.map((model) => model.id)).toEqual(["tinytale"]);
      const request = { model: "tinytale", messages, max_tokens: 16, temperature: 0 };
      const whole = await client.chat.completions.create(request);
      const stream = await client.chat.completions.create({
        ...request,
        stream: true,
        stream_options: { include_usage: true },
      });
      let text = "";
      let usage: OpenAI.CompletionUsage | undefined;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? "";
        usage = chunk.usage ?? usage;
      }
      expect(text).toBe(whole.choices[0]?.message.content);
      expect(usage?.completion_tokens).toBe(16);
      expect(whole.usage?.total_tokens).toBe((whole.usage?.prompt_tokens ?? 0) + 16);
      const plain = await client.completions.create({
        model: "tinytale",
        prompt: ["Once", "The fox"],
        max_tokens: 4,
        n: 2,
      });
      expect(plain.choices.map((choice) => choice.index)).toEqual([0, 1, 2, 3]);
    });
  });

  it("gets log-probabilities, several choices and JSON by its own helpers", async () => {
    await withTextWorker({}, async ({ platform }) => {
      const client = openai(platform);
      const told = await client.chat.completions.create({
        model: "tinytale",
        messages,
        max_tokens: 5,
        n: 2,
        logprobs: true,
        top_logprobs: 3,
      });
      expect(told.choices).toHaveLength(2);
      expect(told.choices[1]?.logprobs?.content?.[0]?.top_logprobs).toHaveLength(3);
      const schema = { type: "object", properties: { mood: { enum: ["glad", "sad"] } }, required: ["mood"] };
      const json = await client.chat.completions.create({
        model: "tinytale",
        messages,
        response_format: { type: "json_schema", json_schema: { name: "mood", schema } },
      });
      expect(["glad", "sad"]).toContain(JSON.parse(json.choices[0]?.message.content ?? "").mood);
    });
  });

  it("hears what was wrong with its request", async () => {
    await withTextWorker({}, async ({ platform }) => {
      const wrong = openai(platform).chat.completions.create({ model: "gpt-9", messages });
      await expect(wrong).rejects.toThrow('the model "gpt-9" does not exist');
    });
  });

  it("hears of it in a stream, too, whose job fails", async () => {
    await withTextWorker({}, async ({ platform }) => {
      const read = async (request: object) => {
        const body = { model: "tinytale", messages, stream: true as const, ...request };
        for await (const _chunk of await openai(platform).chat.completions.create(body));
      };
      await expect(read({ model: "gpt-9" })).rejects.toThrow('the model "gpt-9" does not exist');
      await expect(read({ temperature: -1 })).rejects.toThrow("temperature must be");
      await expect(
        read({ max_tokens: 1, messages: [{ role: "user", content: "a ".repeat(5000) }] }),
      ).rejects.toThrow("context");
    });
  });

  it("case 122: that leaves is seen by the platform alone, whose stop ends the generation", async () => {
    await withTextWorker({}, async ({ platform, service }) => {
      const stream = await openai(platform).chat.completions.create({
        model: "tinytale",
        messages,
        stream: true,
        max_tokens: 900,
        ...({ ignore_eos: true } as object),
      });
      for await (const _chunk of stream) break;
      await platform.until(() => service().engine.stats().running === 0, "the engine is idle");
      expect(platform.book.all[0]?.status).toBe("CANCELLED");
    });
  });
});

describe("the runpod-sdk package", () => {
  it("runs, waits, streams and cancels", async () => {
    await withTextWorker({}, async ({ platform }) => {
      const endpoint = runpodSdk("secret-key", { baseUrl: `${platform.url}/v2` }).endpoint("ep");
      if (endpoint === null) throw new Error("the endpoint is there");
      const input = { prompt: "Tell me a story.", params: { max_tokens: 8, temperature: 0 } };
      const done = await endpoint.runSync({ input });
      expect(done).toMatchObject({ status: "COMPLETED", output: { model: "tinytale" } });
      const { id } = await endpoint.run({ input: { ...input, stream: true } });
      const chunks: { generated_text: string }[] = [];
      for await (const chunk of endpoint.stream(id)) chunks.push(chunk.output);
      expect(chunks.map((chunk) => chunk.generated_text).join("")).toBe(done.output.generated_text);
      expect(await endpoint.status(id)).toMatchObject({ status: "COMPLETED" });
      const long = await endpoint.run({
        input: { openai_input: { messages, max_tokens: 900, ignore_eos: true } },
      });
      expect(await endpoint.cancel(long.id)).toMatchObject({ status: "CANCELLED" });
      expect(await endpoint.health()).toMatchObject({ jobs: { completed: 2 } });
    });
  });
});
