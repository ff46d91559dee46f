// Anthropic's own client against /v1/messages: whole and streamed, tools, thoughts, schemas and
// counts by its helpers; errors in its form; what a client that leaves ends.
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { templateText } from "../helpers/templates.js";
import { call, json, type Scene, until, withServer } from "./scene.js";

const model = "tinytale";
const messages = [{ role: "user" as const, content: "Tell me a story about a fox." }];
const story = { model, messages, max_tokens: 16, temperature: 0 };
const withTools = { CHAT_TEMPLATE: templateText("Qwen-Qwen2.5-7B-Instruct") };
const calling = {
  model,
  messages: [{ role: "user" as const, content: "Is it warm?" }],
  max_tokens: 200,
  temperature: 0,
  tools: [
    {
      name: "get_weather",
      input_schema: {
        type: "object" as const,
        properties: { unit: { enum: ["celsius", "kelvin"] } },
        required: ["unit"],
        additionalProperties: false,
      },
    },
  ],
  tool_choice: { type: "any" as const, disable_parallel_tool_use: true },
};

const clientOf = ({ url }: Scene, apiKey = "any", below = "") =>
  new Anthropic({ apiKey, baseURL: url + below, maxRetries: 0 });

/** Types of events, those that repeat once. */
function course(events: readonly { readonly type: string }[]): readonly string[] {
  const types = events.map(({ type }) => type);
  return types.filter((type, index) => type !== types[index - 1]);
}

describe("/v1/messages", () => {
  it("answers whole and streamed alike", async () => {
    await withServer({}, async (scene) => {
      const { messages: api } = clientOf(scene);
      const whole = await api.create(story);
      expect(whole).toMatchObject({ type: "message", role: "assistant", model, stop_reason: "max_tokens" });
      expect(whole.usage.output_tokens).toBe(16);
      const events: Anthropic.MessageStreamEvent[] = [];
      const stream = api.stream(story).on("streamEvent", (event) => void events.push(structuredClone(event)));
      const streamed = await stream.finalMessage();
      expect({ ...streamed, id: "", parsed_output: null }).toEqual({ ...whole, id: "", parsed_output: null });
      expect(course(events)).toEqual([
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
      ]);
      const [start] = events;
      if (start?.type !== "message_start") throw new Error("a message starts");
      expect(start.message.usage).toMatchObject({ input_tokens: whole.usage.input_tokens, output_tokens: 0 });
    });
  });

  it("counts the tokens that it computes, of systems as text and as blocks", async () => {
    await withServer({ environment: withTools }, async (scene) => {
      const { messages: api } = clientOf(scene);
      const block = {
        type: "text" as const,
        text: "Be brief.",
        cache_control: { type: "ephemeral" as const },
      };
      for (const more of [{}, { system: "Be brief." }, { system: [block] }, { tools: calling.tools }]) {
        const { input_tokens } = await api.countTokens({ model, messages, ...more });
        const { usage } = await api.create({ ...story, ...more, max_tokens: 1 });
        expect(input_tokens).toBe(usage.input_tokens);
      }
    });
  });

  it("says which stop sequence ended it", async () => {
    await withServer({}, async (scene) => {
      const { messages: api } = clientOf(scene);
      const [said] = (await api.create(story)).content;
      if (said?.type !== "text") throw new Error("text is said");
      const word = said.text.slice(10, 16);
      const stopping = { ...story, stop_sequences: ["never said", word] };
      for (const message of [await api.create(stopping), await api.stream(stopping).finalMessage()]) {
        expect([message.stop_reason, message.stop_sequence]).toEqual(["stop_sequence", word]);
        expect(JSON.stringify(message.content)).not.toContain(word);
      }
      const ended = await api.create({ ...story, max_tokens: 200, stop_sequences: ["never said"] });
      expect([ended.stop_reason, ended.stop_sequence]).toEqual(["end_turn", null]);
    });
  });

  it("uses tools, whole and streamed alike, and takes their results", async () => {
    await withServer({ environment: withTools }, async (scene) => {
      const { messages: api } = clientOf(scene);
      const whole = await api.create(calling);
      const [used] = whole.content;
      if (used?.type !== "tool_use") throw new Error("a tool is used");
      expect(whole.stop_reason).toBe("tool_use");
      expect(used.name).toBe("get_weather");
      expect(["celsius", "kelvin"]).toContain((used.input as { unit: string }).unit);
      const [streamed] = (await api.stream(calling).finalMessage()).content;
      expect(streamed).toMatchObject({ type: "tool_use", name: used.name, input: used.input });
      const named = await api.create({ ...calling, tool_choice: { type: "tool", name: "get_weather" } });
      expect(named.stop_reason).toBe("tool_use");
      const result = { type: "tool_result" as const, tool_use_id: used.id, content: "21" };
      const after = await api.create({
        ...calling,
        tool_choice: { type: "none" },
        max_tokens: 8,
        messages: [
          ...calling.messages,
          { role: "assistant", content: whole.content },
          { role: "user", content: [result, { type: "text", text: "So?" }] },
        ],
      });
      expect(after.stop_reason).toBe("max_tokens");
    });
  });

  it("tells thoughts as blocks, takes them back, and hides them where it is asked to", async () => {
    const environment = { CHAT_TEMPLATE: templateText("Qwen-QwQ-32B") };
    await withServer({ environment }, async (scene) => {
      const { messages: api } = clientOf(scene);
      const thinking = { type: "enabled" as const, budget_tokens: 1024 };
      const whole = await api.create({ ...story, thinking });
      expect(whole.content).toMatchObject([{ type: "thinking", signature: expect.stringMatching(/./) }]);
      const streamed = await api.stream({ ...story, thinking }).finalMessage();
      expect(streamed.content).toEqual(whole.content);
      const again = [...messages, { role: "assistant" as const, content: whole.content }, ...messages];
      expect((await api.create({ ...story, messages: again })).stop_reason).toBe("max_tokens");
      const hidden = await api.create({ ...story, thinking: { ...thinking, display: "omitted" } });
      expect(hidden.content).toEqual([]);
    });
  });

  it("binds the text to a schema, which the client's helper parses", async () => {
    await withServer({}, async (scene) => {
      const format = zodOutputFormat(z.object({ likes: z.enum(["foxes", "owls"]) }));
      const { parsed_output } = await clientOf(scene).messages.parse({
        ...story,
        max_tokens: 200,
        output_config: { format },
      });
      expect(["foxes", "owls"]).toContain(parsed_output?.likes);
    });
  });

  it("stands below an endpoint's address", async () => {
    await withServer({}, async (scene) => {
      const { messages: api } = clientOf(scene, "any", "/v2/any/openai");
      expect((await api.create(story)).stop_reason).toBe("max_tokens");
      await expect(api.create({ ...story, max_tokens: 0 })).rejects.toBeInstanceOf(Anthropic.BadRequestError);
    });
  });
});

describe("errors of /v1/messages", () => {
  it("have Anthropic's form, whoever refuses", async () => {
    await withServer({ options: { keys: ["k1"] } }, async (scene) => {
      const { messages: api } = clientOf(scene, "k1");
      const image = {
        type: "image" as const,
        source: { type: "url" as const, url: "http://a.example/b.png" },
      };
      const pictured = { ...story, messages: [{ role: "user" as const, content: [image] }] };
      await expect(api.create(pictured)).rejects.toMatchObject({
        status: 400,
        type: "invalid_request_error",
        error: { type: "error", error: { param: "messages[0].content[0].type" } },
      });
      await expect(api.create({ ...story, model: "claude" })).rejects.toMatchObject({
        status: 404,
        type: "not_found_error",
      });
      const wrongKey = clientOf(scene, "k2").messages.create(story);
      await expect(wrongKey).rejects.toMatchObject({ status: 401, type: "authentication_error" });
      const long = { ...story, messages: [{ role: "user" as const, content: "a ".repeat(5000) }] };
      await expect(api.create(long)).rejects.toMatchObject({ status: 400, type: "invalid_request_error" });
      await expect(api.stream(long).finalMessage()).rejects.toMatchObject({ status: 400 });
      const large = { ...story, system: "a".repeat(1_000_001) };
      await expect(api.create(large)).rejects.toMatchObject({ status: 413, type: "request_too_large" });
      const got = await call(`${scene.url}/v1/messages`, "GET", undefined, { "x-api-key": "k1" });
      expect([got.status, got.json.type, got.json.error.type]).toEqual([
        405,
        "error",
        "invalid_request_error",
      ]);
      const none = await call(`${scene.url}/v1/messages/batches`, "POST", "{}", {
        ...json,
        "x-api-key": "k1",
      });
      expect([none.status, none.json.error.type]).toEqual([404, "not_found_error"]);
    });
  });

  it("come as an event where the stream has begun", async () => {
    await withServer({ options: { drainMs: 0 } }, async (scene) => {
      const endless = { ...story, max_tokens: 900, ...{ ignore_eos: true } };
      const stream = clientOf(scene).messages.stream(endless);
      stream.once("streamEvent", () => scene.signal("SIGTERM"));
      await expect(stream.finalMessage()).rejects.toMatchObject({ type: "overloaded_error" });
    });
  });
});

describe("a client of /v1/messages that leaves", () => {
  it("ends its generation, streamed or not", async () => {
    await withServer({}, async (scene) => {
      const { served, server } = scene;
      const endless = { ...story, max_tokens: 900, ...{ ignore_eos: true } };
      const isIdle = () => served.text?.stats().running === 0 && server.jobs === 0;
      for await (const _event of await clientOf(scene).messages.create({ ...endless, stream: true })) break;
      await until(isIdle);
      const leaving = new AbortController();
      const whole = clientOf(scene).messages.create(endless, { signal: leaving.signal });
      await until(() => served.text?.stats().running === 1);
      leaving.abort();
      await expect(whole).rejects.toThrow("aborted");
      await until(isIdle);
      expect(served.text?.stats()).toMatchObject({ cancelled: 2, failed: 0 });
    });
  });
});
