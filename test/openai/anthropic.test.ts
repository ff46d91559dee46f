// What /v1/messages takes of Anthropic's fields, what it refuses and by which name; how its
// messages become the engine's; and how a stream that is silent says that it lives.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InferenceError } from "../../src/errors.js";
import { MessageAnswer } from "../../src/openai/anthropic-answer.js";
import {
  anthropicFields,
  anthropicOfOneValue,
  anthropicWithoutEffect,
  messagesRequest,
} from "../../src/openai/anthropic-request.js";
import { toApiError } from "../../src/openai/api-error.js";
import { optionFields } from "../../src/openai/field-table.js";
import type { NamedEvent } from "../../src/openai/named-events.js";
import { withPings } from "../../src/openai/pings.js";
import { anthropicFieldNames, oddValues } from "./defined-fields.js";
import { type Api, openApi } from "./scene.js";

const hookLimitMs = 60_000;
let api: Api;
beforeAll(async () => {
  api = await openApi();
}, hookLimitMs);
afterAll(() => api.close());

const longModel = "synthetic:llama?layers=1&dim=64&vocab=4096&context=65536&seed=4";
const hi = { role: "user", content: "Hi" };
const usual = { model: "m", max_tokens: 4, messages: [hi] };
const read = (body: object) => messagesRequest({ ...usual, ...body }, () => {});
const content = (block: object, role = "user") => ({ messages: [{ role, content: [block] }] });

describe("the fields of /v1/messages", () => {
  it("are all known that Anthropic defines", () => {
    const known = [
      ...anthropicFields,
      ...anthropicWithoutEffect,
      ...Object.keys(anthropicOfOneValue),
      ...optionFields.keys(),
      "stop_sequences",
    ];
    expect(anthropicFieldNames.filter((name) => !known.includes(name))).toEqual([]);
  });

  it("of other routes are told, and have no effect", async () => {
    const told: string[] = [];
    const body = { ...usual, messages: [{ ...hi, mood: 1 }], n: 3, stop: "x", colour: 1 };
    const { status } = await api.call("/v1/messages", body, (path) => void told.push(path));
    expect([status, told]).toEqual([200, ["n", "stop", "colour", "messages[0].mood"]]);
  });

  const tool = { name: "f", input_schema: { type: "object" } };
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "" } };
  it.each<[object, string, string]>([
    [{ max_tokens: undefined }, "max_tokens", "max_tokens must be an integer from 1"],
    [{ max_tokens: 0 }, "max_tokens", "max_tokens must be"],
    [{ messages: undefined }, "messages", "messages must be a list of messages"],
    [{ messages: [] }, "messages", "messages must be a list of messages"],
    [{ messages: [{ role: "tool", content: "x" }] }, "messages[0].role", '"user" or "assistant"'],
    [{ messages: [{ role: "user" }] }, "messages[0].content", "text or a list of blocks"],
    [{ messages: [{ role: "user", content: [] }] }, "messages[0].content", "text or a list of blocks"],
    [
      { messages: [hi, { role: "assistant", content: "Once " }] },
      "messages[1].content",
      "must not end with white space in the last message",
    ],
    [
      { messages: [hi, { role: "assistant", content: [{ type: "tool_use", id: "x", name: "f" }] }] },
      "messages[1]",
      "must not end with a call of a tool",
    ],
    [
      { messages: [hi, { role: "assistant", content: "Once" }], tools: [tool] },
      "messages[1]",
      "must come without tools",
    ],
    [content(image), "messages[0].content[0].type", 'is of type "image", only text is supported'],
    [content({ type: "document" }), "messages[0].content[0].type", 'is of type "document"'],
    [content({ type: "tool_use", id: "x", name: "f" }), "messages[0].content[0].type", '"tool_use"'],
    [content({ type: "server_tool_use" }, "assistant"), "messages[0].content[0].type", "server_tool_use"],
    [content({ type: "tool_result" }), "messages[0].content[0].tool_use_id", "a string"],
    [
      content({ type: "tool_result", tool_use_id: "x", content: [image] }),
      "messages[0].content[0].content[0].type",
      'is of type "image"',
    ],
    [
      content({ type: "tool_use", id: "x", name: "f", input: "{}" }, "assistant"),
      "messages[0].content[0].input",
      "an object",
    ],
    [{ system: 5 }, "system", "system must be text or a list of parts"],
    [{ system: [image] }, "system[0].type", 'is of type "image"'],
    [{ stop_sequences: [""] }, "stop_sequences[0]", "stop_sequences[0] must be"],
    [{ temperature: -1 }, "temperature", "temperature must be"],
    [{ top_k: 0.5 }, "top_k", "top_k must be"],
    [{ container: "c" }, "container", "container is not supported"],
    [{ mcp_servers: [{}] }, "mcp_servers", "mcp_servers is not supported"],
    [{ speed: "fast" }, "speed", "speed is not supported"],
    [{ tools: [{ type: "web_search_20250305", name: "w" }] }, "tools[0].type", '"web_search_20250305"'],
    [{ tools: [{ name: "f" }] }, "tools[0].input_schema", "a JSON schema of an object"],
    [{ tools: [{ ...tool, name: "a b" }] }, "tools[0].name", "tools[0].name must be"],
    [{ tools: [{ ...tool, input_schema: { type: "string" } }] }, "tools[0].input_schema", "a JSON schema"],
    [{ tool_choice: { type: "any" } }, "tool_choice", "tool_choice must come with tools"],
    [{ tools: [tool], tool_choice: { type: "tool" } }, "tool_choice", "tool_choice must be"],
    [{ tools: [tool], tool_choice: { type: "tool", name: "g" } }, "tool_choice", '"g"'],
    [{ thinking: { type: "between_tools" } }, "thinking.type", "thinking.type must be"],
    [{ output_config: { format: { type: "xml" } } }, "output_config.format", "json_schema"],
    [
      { tools: [tool], output_config: { format: { type: "json_schema", schema: {} } } },
      "output_config.format",
      "beside tools",
    ],
  ])("are refused by name: %j", async (body, param, sentence) => {
    const { status, reply } = await api.call("/v1/messages", { ...usual, ...body });
    expect(reply).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
    const error = reply?.error as { param: string; message: string };
    expect(error.message).toContain(sentence);
    expect([status, error.param]).toEqual([400, param]);
  });

  it("that end with the assistant's are continued by the answer, as in chat", async () => {
    const begun = { role: "assistant", content: "Once upon a" };
    const ask = { model: "m", max_tokens: 8, temperature: 0 };
    const continues = { add_generation_prompt: false, continue_final_message: true };
    const chat = await api.chat({ ...ask, messages: [hi, begun], ...continues });
    const [choice] = (chat.reply?.choices ?? []) as { message: { content: string } }[];
    const asked = {
      ...usual,
      ...ask,
      messages: [hi, { ...begun, content: [{ type: "text", text: "Once upon a" }] }],
    };
    const { reply } = await api.call("/v1/messages", asked);
    expect(reply?.content).toEqual([{ type: "text", text: choice?.message.content }]);
    const counted = await api.call("/v1/messages/count_tokens", { ...asked, max_tokens: undefined });
    const usage = chat.reply?.usage as { prompt_tokens: number };
    expect(counted.reply?.input_tokens).toBe(usage.prompt_tokens);
    const empty = await api.call("/v1/messages", { ...asked, messages: [hi, { ...begun, content: "" }] });
    const none = await api.call("/v1/messages", { ...asked, messages: [hi] });
    expect(empty.reply?.content).toEqual(none.reply?.content);
    expect(none.reply?.content).not.toEqual(reply?.content);
  });

  it("that are counted need no max_tokens, and are refused alike", async () => {
    const count = (body: object) => api.call("/v1/messages/count_tokens", body);
    expect((await count({ model: "m", messages: [hi] })).status).toBe(200);
    expect((await count({ model: "m", messages: [] })).reply).toMatchObject({
      error: { param: "messages" },
    });
  });

  it("hold what they may, and are taken or refused by their name", async () => {
    for (const name of new Set(anthropicFieldNames)) {
      for (const [index, value] of oddValues.entries()) {
        const path = index % 2 === 0 ? "/v1/messages" : "/v1/messages/count_tokens";
        const body = { ...usual, max_tokens: 1, [name]: value };
        const { status, reply } = await api.call(path, body);
        const { param = name } = (reply?.error ?? {}) as { readonly param?: string };
        expect([name, value, status < 500, param.split(/[.[]/)[0]]).toEqual([name, value, true, name]);
      }
    }
  });

  it("reach the engine by its own options", () => {
    const { request } = read({
      stop_sequences: ["END"],
      top_k: 5,
      thinking: { type: "disabled" },
      output_config: { effort: "low" },
      tools: [{ ...tool, description: "Looks." }],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
      metadata: { user_id: "u" },
    });
    expect(request).toMatchObject({
      maxTokens: 4,
      stop: ["END"],
      topK: 5,
      chatVariables: { enable_thinking: false, reasoning_effort: "low" },
      tools: [{ name: "f", description: "Looks.", parameters: { type: "object" } }],
      toolChoice: "required",
      parallelToolCalls: false,
    });
  });
});

describe("messages of blocks", () => {
  it("become the engine's, results of tools messages of their own", () => {
    const cached = { cache_control: { type: "ephemeral" } };
    const text = (said: string) => ({ type: "text", text: said });
    const messages = [
      { role: "user", content: [{ ...text("Look."), ...cached }] },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Hm.", signature: "s" },
          { type: "redacted_thinking", data: "x" },
          { ...text("I look."), citations: null },
          { type: "tool_use", id: "t1", name: "f", input: { at: 1 } },
          { type: "tool_use", id: "t2", name: "f" },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "t1", content: "a", is_error: true },
          { type: "tool_result", tool_use_id: "t2", content: [text("b")], ...cached },
          text("So?"),
        ],
      },
    ];
    const attribution = text("x-anthropic-billing-header: hash=123");
    expect(read({ system: [attribution, text("Be brief.")], messages }).request.messages).toEqual([
      { role: "system", content: [text("Be brief.")] },
      { role: "user", content: [text("Look.")] },
      {
        role: "assistant",
        content: [text("I look.")],
        reasoning: "Hm.",
        toolCalls: [
          { id: "t1", name: "f", arguments: { at: 1 } },
          { id: "t2", name: "f", arguments: {} },
        ],
      },
      { role: "tool", content: "a", toolCallId: "t1" },
      { role: "tool", content: [text("b")], toolCallId: "t2" },
      { role: "user", content: [text("So?")] },
    ]);
  });

  it("make the prompt that chat makes of the same conversation", async () => {
    const { reply } = await api.call("/v1/messages", { ...usual, system: "Be brief." });
    const { reply: chat } = await api.chat({
      messages: [{ role: "system", content: "Be brief." }, hi],
      max_tokens: 1,
    });
    const { prompt_tokens } = (chat as { usage: { prompt_tokens: number } }).usage;
    expect(reply).toMatchObject({ usage: { input_tokens: prompt_tokens } });
  });
});

describe("a stream of a message", () => {
  it("begins with its prompt's tokens, of a long prompt about as many", async () => {
    const long = await openApi({ MAX_MODEL_LEN: "65536", MODEL_NAME: longModel });
    try {
      for (const [times, most] of [
        [1, 0],
        [1000, 0.02],
      ] as const) {
        const messages = [{ role: "user", content: "The fox ran home. ".repeat(times) }];
        const { events = [] } = await long.call("/v1/messages", {
          ...usual,
          messages,
          max_tokens: 1,
          stream: true,
        });
        const { message } = events[0] as { message: { usage: { input_tokens: number } } };
        const { usage } = events.at(-2) as { usage: { input_tokens: number } };
        const apart = Math.abs(message.usage.input_tokens / usage.input_tokens - 1);
        expect([times, apart <= most]).toEqual([times, true]);
      }
    } finally {
      await long.close();
    }
  });

  it("that breaks ends with an error", () => {
    const answer = new MessageAnswer({ name: "m" } as never, { messages: [] });
    const error = toApiError(new InferenceError("DECODE_FAILED", "the device failed"));
    expect(answer.failed(error)).toEqual({
      type: "error",
      error: { type: "api_error", message: "the device failed" },
    });
  });

  it("tells input that was cut off as it is", async () => {
    const model = { name: "m" } as never;
    const answer = new MessageAnswer(model, { messages: [] });
    const usage = { promptTokens: 1, cachedPromptTokens: 0, completionTokens: 1 };
    async function* cutOff() {
      const call = {
        type: "tool-call-delta",
        choiceIndex: 0,
        tokens: [1],
        toolCallIndex: 0,
        id: "c",
        name: "f",
      };
      yield { ...call, arguments: '{"a' };
      yield { type: "end", finishReason: "length", usage };
    }
    for await (const _ of answer.events(cutOff() as never, 1));
    expect(answer.message).toMatchObject({
      content: [{ type: "tool_use", input: { INVALID_JSON: '{"a' } }],
      stop_reason: "max_tokens",
    });
  });

  it("that is silent says that it lives, and ends its source when it is left", async () => {
    let release = () => {};
    let ended = false;
    async function* silent(): AsyncGenerator<NamedEvent, void, undefined> {
      try {
        yield { type: "message_start" };
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        yield { type: "content_block_start" };
        yield { type: "message_stop" };
      } finally {
        ended = true;
      }
    }
    const types: string[] = [];
    for await (const { type } of withPings(silent(), 1)) {
      types.push(type);
      if (types.length === 4) release();
      if (type === "content_block_start") break;
    }
    const pings = types.slice(1, -1);
    expect([types[0], types.at(-1), ended]).toEqual(["message_start", "content_block_start", true]);
    expect(pings.length).toBeGreaterThanOrEqual(3);
    expect(new Set(pings)).toEqual(new Set(["ping"]));
  });
});
