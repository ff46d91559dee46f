// What /v1/responses takes of OpenAI's and vLLM's fields, what it refuses and by which name; how
// a stream that breaks ends; and how long a response is kept.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InferenceError } from "../../src/errors.js";
import { ApiError, toApiError } from "../../src/openai/api-error.js";
import { fieldsOfOneValue, fieldsWithoutEffect, optionFields } from "../../src/openai/field-table.js";
import { ResponseStore } from "../../src/openai/response-store.js";
import { createdResponse } from "../../src/openai/responses.js";
import { ResponseAnswer } from "../../src/openai/responses-answer.js";
import {
  responsesFields,
  responsesOfOneValue,
  responsesRequest,
} from "../../src/openai/responses-request.js";
import { oddValues, openaiFields, vllmFields } from "./defined-fields.js";
import { tableBelow } from "./documented.js";
import { type Api, openApi } from "./scene.js";

const hookLimitMs = 60_000;
let api: Api;
beforeAll(async () => {
  api = await openApi();
}, hookLimitMs);
afterAll(() => api.close());

const create = async (body: object) =>
  api.call("/v1/responses", { input: "Hi", max_output_tokens: 4, ...body });
const messagesIn = (body: object) =>
  responsesRequest({ input: "Hi", ...body }, [], () => {}).request.messages;

describe("the fields of /v1/responses", () => {
  it("are all known that OpenAI and vLLM define", () => {
    const known = [
      ...responsesFields,
      ...Object.keys(responsesOfOneValue),
      ...optionFields.keys(),
      ...fieldsWithoutEffect,
      ...Object.keys(fieldsOfOneValue),
      "max_output_tokens",
    ];
    const unknown = [...openaiFields.responses, ...vllmFields.responses].filter(
      (name) => !known.includes(name),
    );
    expect(unknown).toEqual([]);
  });

  it("of one value are documented", () => {
    const documented = tableBelow("Responses").map(([name, value]) => [name, value]);
    const inCode = Object.entries(responsesOfOneValue).map(([name, value]) => [
      name,
      JSON.stringify(value ?? null),
    ]);
    expect(documented.sort()).toEqual(inCode.sort());
  });

  it("of other routes are told, and have no effect", async () => {
    const told: string[] = [];
    const body = { input: [{ role: "user", content: "Hi", mood: 1 }], n: 3, max_tokens: 0, colour: 1 };
    const { status } = await api.call("/v1/responses", { ...body, max_output_tokens: 2 }, (path) => {
      told.push(path);
    });
    expect([status, told]).toEqual([200, ["n", "max_tokens", "colour", "input[0].mood"]]);
  });

  const call = { type: "function", name: "f", parameters: { type: "object" } };
  it.each<[object, string, string]>([
    [{ input: undefined }, "input", "input must be text or a list of items"],
    [{ input: [] }, "input", "input must be text or a list of items"],
    [{ input: [5] }, "input[0]", "input[0] must be an item"],
    [{ input: [{ role: "user", content: null }] }, "input[0].content", "input[0].content must be"],
    [{ input: [{ type: "item_reference", id: "x" }] }, "input[0].type", '"item_reference"'],
    [{ input: [{ type: "web_search_call" }] }, "input[0].type", '"web_search_call"'],
    [
      { input: [{ role: "user", content: [{ type: "input_image", image_url: "http://a" }] }] },
      "input[0].content[0].type",
      'is of type "input_image", only text is supported',
    ],
    [{ input: [{ type: "function_call", name: "f", arguments: "{}" }] }, "input[0].call_id", "a string"],
    [{ input: [{ type: "function_call_output", call_id: "c" }] }, "input[0].output", "text or a list"],
    [
      { input: [{ type: "reasoning", summary: [], encrypted_content: "x" }] },
      "input[0].encrypted_content",
      "input[0].encrypted_content is not supported",
    ],
    [
      { input: [{ role: "user", content: "Once", status: "in_progress" }] },
      "input[0].status",
      'input[0].status "in_progress" is not supported in the last item',
    ],
    [
      { input: [{ role: "assistant", content: "Once", status: "incomplete" }], tools: [call] },
      "input[0]",
      "must come without tools",
    ],
    [{ instructions: 5 }, "instructions", "instructions must be a string"],
    [{ background: true }, "background", "background is not supported but for false"],
    [{ conversation: "conv_1" }, "conversation", "conversation is not supported"],
    [{ prompt: { id: "p" } }, "prompt", "prompt is not supported"],
    [{ context_management: [] }, "context_management", "context_management is not supported"],
    [{ truncation: "auto" }, "truncation", 'truncation is not supported but for "disabled"'],
    [{ enable_response_messages: true }, "enable_response_messages", "enable_response_messages is not"],
    [{ previous_response_id: "resp_0" }, "previous_response_id", 'there is no response "resp_0"'],
    [{ max_output_tokens: 0 }, "max_output_tokens", "max_output_tokens must be"],
    [{ top_p: 7 }, "top_p", "top_p must be"],
    [{ metadata: { a: 5 } }, "metadata", "metadata must be an object whose values are strings"],
    [{ service_tier: "fast" }, "service_tier", "service_tier must be one of"],
    [{ stream_options: {} }, "stream_options", "stream_options must come with stream true"],
    [{ include: ["everything"] }, "include[0]", "include[0] must be one of"],
    [{ include: ["message.output_text.logprobs"], top_logprobs: 50 }, "top_logprobs", "top_logprobs must be"],
    [{ text: { verbosity: "high" } }, "text.verbosity", "text.verbosity is not supported"],
    [{ text: { format: { type: "xml" } } }, "text.format.type", "text.format.type must be"],
    [{ text: { format: { type: "json_schema" } } }, "text.format.schema", "text.format.schema must be"],
    [
      { text: { format: { type: "json_schema", name: "x", schema: { type: "nothing" } } } },
      "text.format.schema",
      "text.format.schema",
    ],
    [
      { text: { format: { type: "json_object" } }, structured_outputs: { regex: "a" } },
      "text.format",
      "give text.format or structured_outputs, not both",
    ],
    [{ tools: [call], text: { format: { type: "json_object" } } }, "text.format", "beside tools"],
    [{ tools: [{ type: "web_search" }] }, "tools[0].type", 'tools[0] is of type "web_search"'],
    [{ tools: [{ type: "mcp", server_label: "x" }] }, "tools[0].type", 'tools[0] is of type "mcp"'],
    [{ tools: [{ type: "function" }] }, "tools[0].name", "tools[0].name must be a string"],
    [{ tools: [{ ...call, name: "a b" }] }, "tools[0].name", "tools[0].name must be"],
    [{ tools: [{ ...call, parameters: { type: "string" } }] }, "tools[0].parameters", "tools[0].parameters"],
    [{ tool_choice: "required" }, "tool_choice", "tool_choice must come with tools"],
    [{ tools: [call], tool_choice: { type: "function", name: "g" } }, "tool_choice", '"g"'],
    [{ tools: [call], tool_choice: { type: "web_search" } }, "tool_choice", "tool_choice must be"],
    [
      { tools: [call], tool_choice: { type: "allowed_tools", mode: "auto", tools: [{ name: "g" }] } },
      "tool_choice.tools[0]",
      "one of the tools",
    ],
    [{ reasoning: { effort: 5 } }, "reasoning.effort", "reasoning.effort must be a string"],
  ])("are refused by name: %j", async (body, param, sentence) => {
    const { status, reply } = await create(body);
    const error = reply?.error as { param: string; message: string };
    expect(error.message).toContain(sentence);
    expect([status, error.param]).toEqual([param === "previous_response_id" ? 404 : 400, param]);
  });

  it("whose last item is an unended answer are continued, and kept with what continues it", async () => {
    const hi = { role: "user", content: "Hi" };
    const ask = { model: "m", temperature: 0 };
    const chat = await api.chat({
      ...ask,
      max_tokens: 8,
      messages: [hi, { role: "assistant", content: "Once upon a" }],
      add_generation_prompt: false,
      continue_final_message: true,
    });
    const [choice] = (chat.reply?.choices ?? []) as { message: { content: string } }[];
    const begun = { role: "assistant", content: "Once upon a", status: "incomplete" };
    const { reply } = await create({ ...ask, max_output_tokens: 8, input: [hi, begun] });
    const [message] = (reply?.output ?? []) as { content: { text: string }[] }[];
    expect(message?.content[0]?.text).toBe(choice?.message.content);
    const next = { role: "user", content: "And?" };
    const more = await create({
      ...ask,
      max_output_tokens: 1,
      input: [next],
      previous_response_id: reply?.id,
    });
    const joined = { role: "assistant", content: `Once upon a${choice?.message.content}` };
    const whole = await create({ ...ask, max_output_tokens: 1, input: [hi, joined, next] });
    const tokens = ({ reply: { usage } = {} }: typeof more) =>
      (usage as { input_tokens: number }).input_tokens;
    expect(tokens(more)).toBe(tokens(whole));
  });

  it("hold what they may, and are taken or refused by their name", async () => {
    for (const name of new Set([...openaiFields.responses, ...vllmFields.responses])) {
      for (const value of oddValues) {
        const { status, reply } = await create({ max_output_tokens: 1, [name]: value });
        const { param = name } = (reply?.error ?? {}) as { readonly param?: string };
        expect([name, value, status < 500, param.split(/[.[]/)[0]]).toEqual([name, value, true, name]);
      }
    }
  });

  it("that begin a thought or allow some of the tools reach the template", () => {
    const { request } = responsesRequest(
      {
        input: "Hi",
        reasoning: { effort: "none", summary: "auto" },
        tools: [call, { ...call, name: "g" }],
        tool_choice: { type: "allowed_tools", mode: "required", tools: [{ type: "function", name: "g" }] },
      },
      [],
      () => {},
    );
    expect(request.chatVariables).toEqual({ reasoning_effort: "none", enable_thinking: false });
    expect(request.tools?.map(({ name }) => name)).toEqual(["g"]);
    expect(request).toMatchObject({ toolChoice: "required", parallelToolCalls: true });
  });

  it("tell probabilities of the text where they are included", async () => {
    const include = ["message.output_text.logprobs"];
    const { reply } = await create({ include, top_logprobs: 2, temperature: 0 });
    const told = expect.objectContaining({ top_logprobs: [expect.anything(), expect.anything()] });
    const content = [{ type: "output_text", logprobs: [told, told, told, told] }];
    expect(reply?.output).toMatchObject([{ content }]);
  });
});

describe("items of an input", () => {
  it("that one answer was made of become one message", () => {
    const called = { type: "function_call", id: "fc_1", status: "completed" };
    const items = [
      { role: "developer", content: "Be brief." },
      { type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] },
      { type: "reasoning", id: "rs_1", summary: [], content: [{ type: "reasoning_text", text: "Hm." }] },
      {
        type: "message",
        id: "msg_1",
        role: "assistant",
        content: [{ type: "output_text", text: "I look." }],
      },
      { ...called, call_id: "c1", name: "look", arguments: '{"at":1}' },
      { ...called, call_id: "c2", name: "look", arguments: "" },
      { type: "function_call_output", call_id: "c1", output: "a" },
      { type: "function_call_output", call_id: "c2", output: [{ type: "input_text", text: "b" }] },
      { type: "reasoning", id: "rs_2", summary: [{ type: "summary_text", text: "So." }] },
      { role: "assistant", content: "Seen." },
      { role: "assistant", content: "Both." },
      { role: "user", content: "And?" },
    ];
    const text = (said: string) => [{ type: "text", text: said }];
    expect(messagesIn({ input: items, instructions: "Help." })).toEqual([
      { role: "system", content: "Help." },
      { role: "developer", content: "Be brief." },
      { role: "user", content: text("Hi") },
      {
        role: "assistant",
        content: text("I look."),
        reasoning: "Hm.",
        toolCalls: [
          { id: "c1", name: "look", arguments: '{"at":1}' },
          { id: "c2", name: "look", arguments: "" },
        ],
      },
      { role: "tool", content: "a", toolCallId: "c1" },
      { role: "tool", content: text("b"), toolCallId: "c2" },
      { role: "assistant", content: "Seen.", reasoning: "So." },
      { role: "assistant", content: "Both." },
      { role: "user", content: "And?" },
    ]);
  });

  it("make the prompt that chat makes of the same conversation", async () => {
    const called = { name: "look", arguments: "{}" };
    const { reply: items } = await create({
      input: [
        { role: "user", content: "Hi" },
        { type: "function_call", call_id: "c1", ...called },
        { type: "function_call_output", call_id: "c1", output: "a" },
      ],
    });
    const { reply: chat } = await api.chat({
      messages: [
        { role: "user", content: "Hi" },
        { role: "assistant", tool_calls: [{ id: "c1", type: "function", function: called }] },
        { role: "tool", tool_call_id: "c1", content: "a" },
      ],
      max_tokens: 1,
    });
    const tokens = (reply: unknown, name: string) => (reply as { usage: Record<string, number> }).usage[name];
    expect(tokens(items, "input_tokens")).toBe(tokens(chat, "prompt_tokens"));
  });
});

describe("a stream of a response that breaks", () => {
  it.each<[unknown, object]>([
    [
      new InferenceError("DECODE_FAILED", "the device failed"),
      { type: "response.failed", response: { status: "failed", error: { message: "the device failed" } } },
    ],
    [
      new ApiError(503, "the server is shutting down"),
      { type: "error", message: "the server is shutting down" },
    ],
  ])("ends with an event of its own: %s", (thrown, event) => {
    const answer = new ResponseAnswer({ name: "m" } as never, { id: "resp_1", createdAt: 0, echo: {} });
    expect(answer.failed(toApiError(thrown))).toMatchObject({ ...event, sequence_number: 0 });
  });

  it("is not stored", async () => {
    const store = new ResponseStore();
    const model = { name: "m", generate: () => failing() };
    async function* failing() {
      yield { type: "text-delta", choiceIndex: 0, tokens: [1], text: "Once" };
      throw new InferenceError("DECODE_FAILED", "the device failed");
    }
    const body = { input: "Hi", request_id: "r", stream: true };
    const made = await createdResponse({ ...model, answerId: "r" } as never, {
      store,
      body,
      signal: undefined,
      onUnknown: () => {},
    });
    if (made.type !== "events") throw new Error("it streams");
    const types: string[] = [];
    await expect(
      (async () => {
        for await (const { type } of made.events) types.push(type);
      })(),
    ).rejects.toMatchObject({ status: 500 });
    expect(types.slice(-1)).toEqual(["response.output_text.delta"]);
    expect([store.get("r"), store.bytes]).toEqual([undefined, 0]);
  });
});

describe("the store of responses", () => {
  const stored = (text: string) => ({ object: { text }, messages: [{ role: "user", content: text }] });

  it("keeps each for its time", () => {
    let now = 0;
    const store = new ResponseStore({ responses: 10, bytes: 10_000, keptMs: 1000 }, () => now);
    store.put("a", stored("x"));
    now = 999;
    store.put("b", stored("y"));
    expect([store.get("a"), store.get("b")]).toEqual([stored("x"), stored("y")]);
    now = 1000;
    expect([store.get("a"), store.get("b")]).toEqual([undefined, stored("y")]);
    expect([store.delete("b"), store.delete("b"), store.bytes]).toEqual([true, false, 0]);
  });

  it("forgets the oldest where they are too many or too large", () => {
    const store = new ResponseStore({ responses: 3, bytes: 2000, keptMs: 1000 }, () => 0);
    for (const id of ["a", "b", "c", "d"]) store.put(id, stored(id));
    expect(["a", "b", "c", "d"].map((id) => store.get(id) !== undefined)).toEqual([false, true, true, true]);
    store.put("e", stored("e".repeat(450)));
    expect(["b", "c", "d", "e"].map((id) => store.get(id) !== undefined)).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect(store.bytes).toBeLessThanOrEqual(2000);
    store.put("f", stored("f".repeat(2000)));
    expect([store.get("e") !== undefined, store.get("f")]).toEqual([true, undefined]);
  });

  it("takes no more than it says for many responses of many sizes", () => {
    const store = new ResponseStore({ responses: 50, bytes: 20_000, keptMs: 1000 }, () => 0);
    for (let count = 0; count < 2000; count += 1) {
      store.put(`id-${count % 70}`, stored("é".repeat((count * 37) % 900)));
      expect(store.bytes).toBeLessThanOrEqual(20_000);
    }
  });
});
