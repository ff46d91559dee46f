// What a request may say: every field that OpenAI or vLLM defines is honoured, of
// no effect for a documented reason, or refused by its name.
import { describe, expect, it } from "vitest";
import { ApiError } from "../../src/openai/api-error.js";
import { chatFields, chatRequest } from "../../src/openai/chat-request.js";
import { completionFields, completionRequest } from "../../src/openai/completion-request.js";
import { fieldsOfOneValue, fieldsWithoutEffect, optionFields } from "../../src/openai/field-table.js";
import { refuseField } from "../../src/openai/fields.js";
import { openaiFields, vllmFields } from "./defined-fields.js";
import { tableBelow } from "./documented.js";

const messages = [{ role: "user", content: "Hi" }];
const chat = (body: object, onUnknown?: (path: string) => void) =>
  chatRequest({ messages, ...body }, onUnknown);
const complete = (body: object, onUnknown?: (path: string) => void) =>
  completionRequest({ prompt: "Hi", ...body }, onUnknown).requests[0];

function refusal(ask: () => unknown): ApiError {
  try {
    ask();
  } catch (thrown) {
    if (thrown instanceof ApiError) return thrown;
    throw thrown;
  }
  throw new Error("the request was taken");
}

describe("the fields of a request", () => {
  const everywhere = [...optionFields.keys(), ...fieldsWithoutEffect, ...Object.keys(fieldsOfOneValue)];

  it("are all known that OpenAI and vLLM define", () => {
    const unknown = (names: readonly string[], own: ReadonlySet<string>) =>
      names.filter((name) => !own.has(name) && !everywhere.includes(name));
    expect(unknown([...openaiFields.chat, ...vllmFields.chat], chatFields)).toEqual([]);
    expect(unknown([...openaiFields.completions, ...vllmFields.completions], completionFields)).toEqual([]);
  });

  it("are documented where they have no effect or are not served", () => {
    const without = tableBelow("Fields without effect").flatMap(([names = ""]) => names.split(", "));
    expect([...without].sort()).toEqual([...fieldsWithoutEffect].sort());
    const served = tableBelow("Fields that are served for one value").map(
      ([name = "", value = ""]) => [name, value] as const,
    );
    const inCode = Object.entries(fieldsOfOneValue).map(
      ([name, values]) => [name, values.map((value) => JSON.stringify(value)).join(", ") || "null"] as const,
    );
    expect([...served].sort()).toEqual([...inCode].sort());
  });

  it("may be an empty list of tools, as if left out", () => {
    for (const fields of [{}, { tool_choice: "auto" }, { tool_choice: "none" }]) {
      expect(Object.keys(chat({ tools: [], ...fields }))).not.toContain("tools");
    }
  });

  it("are refused by name for what is not served", () => {
    const wrong: readonly [object, string][] = [
      [{ continue_final_message: true }, "continue_final_message must come with add_generation_prompt false"],
      [{ chat_template: "{{ messages }}" }, "chat_template is not supported"],
      [{ add_special_tokens: true }, "add_special_tokens is not supported"],
      [{ documents: "x" }, "documents must be a list of objects"],
      [{ cache_salt: "" }, "cache_salt must be a non-empty string"],
      [{ tools: {} }, "tools must be a list of functions"],
      [{ tools: [], tool_choice: "required" }, "tool_choice must come with tools"],
      [{ tool_choice: "auto" }, "tool_choice must come with tools"],
      [{ tool_choice: "required" }, "tool_choice must come with tools"],
      [{ reasoning_format: "x" }, 'reasoning_format must be "none" or "auto"'],
      [{ structured_outputs: { structural_tag: "x" } }, "structured_outputs.structural_tag is not supported"],
      [{ response_format: { type: "json_schema" } }, "response_format.json_schema must be an object"],
      [{ response_format: { type: "text", schema: {} } }, 'response_format.type must be "json_schema"'],
      [
        { response_format: { type: "json_schema", schema: {}, json_schema: { schema: {} } } },
        "give response_format.json_schema.schema or response_format.schema, not both",
      ],
      [
        { guided_regex: "a", response_format: { type: "json_object" } },
        "give response_format or guided_regex, not both",
      ],
      [{ structured_outputs: { regex: "a", choice: ["a"] } }, "not both"],
    ];
    for (const [body, sentence] of wrong) expect(refusal(() => chat(body)).message).toContain(sentence);
  });
});

describe("values", () => {
  it("that are texts of numbers and booleans are read as those", () => {
    const body = { max_tokens: "3", temperature: "0", seed: "-1", n: "2", top_p: " 0.5 ", logprobs: "true" };
    expect(chat({ ...body, top_logprobs: "2", ignore_eos: "1", stop_token_ids: ["7"] })).toMatchObject({
      maxTokens: 3,
      temperature: 0,
      seed: 2n ** 64n - 1n,
      n: 2,
      topP: 0.5,
      logProbs: 2,
      ignoreEos: true,
      stopTokens: [7],
    });
    expect(complete({ logprobs: true, logit_bias: { 7: "-5" }, min_p: "1e-2" })).toMatchObject({
      logProbs: 1,
      logitBias: { 7: -5 },
      minP: 0.01,
    });
    expect(chat({ seed: "9223372036854775807" })).toMatchObject({ seed: 2n ** 63n - 1n });
    expect(chat({ skip_special_tokens: "true", echo: 0, thinking_token_budget: "-1" })).toMatchObject({
      messages,
    });
  });

  it("that are neither are left for the judge of the field to refuse", () => {
    for (const value of ["", "x", "1 2", "0x10", "Infinity", [], {}]) {
      expect(chat({ max_tokens: value }).maxTokens).toBe(value);
      expect(refusal(() => chat({ logprobs: value })).message).toBe("logprobs must be true or false");
    }
  });

  it("of two names for one option: the newer name counts, in whatever order", () => {
    expect(chat({ max_tokens: 5, max_completion_tokens: 2 }).maxTokens).toBe(2);
    expect(chat({ max_completion_tokens: 2, max_tokens: 5 }).maxTokens).toBe(2);
    expect(chat({ max_completion_tokens: null, max_tokens: 5 }).maxTokens).toBe(5);
  });
});

describe("a field that nobody defines", () => {
  const body = {
    foo: 1,
    stop: null,
    messages: [{ role: "user", content: "Hi", mood: "glad" }],
    tools: [{ type: "function", function: { name: "f", extra: 1 } }],
    response_format: { type: "text", colour: "red" },
    structured_outputs: { wish: 1 },
  };
  const paths = [
    "foo",
    "tools[0].function.extra",
    "response_format.colour",
    "structured_outputs.wish",
    "messages[0].mood",
  ];

  it("has no effect and is told by its path", () => {
    const told: string[] = [];
    const { messages: said } = chatRequest(body, (path) => told.push(path));
    expect(said).toEqual([{ role: "user", content: "Hi" }]);
    expect(told.sort()).toEqual([...paths].sort());
  });

  it("is refused where that is wanted", () => {
    expect(refusal(() => chat({ foo: 1 }, refuseField))).toMatchObject({
      status: 400,
      param: "foo",
      message: "foo is not supported",
    });
    expect(chat({ user: "u", best_of: 3 }, refuseField)).toMatchObject({ messages });
  });
});

describe("what was accepted without effect", () => {
  it("json_object with a schema is bound by it", () => {
    const schema = { type: "boolean" };
    expect(chat({ response_format: { type: "json_object", schema } }).jsonSchema).toEqual(schema);
    expect(chat({ response_format: { type: "json_object" } }).jsonSchema).toEqual({ type: "object" });
    expect(chat({ structured_outputs: { json_object: true } }).jsonSchema).toEqual({ type: "object" });
    expect(complete({ json_schema: schema })?.jsonSchema).toEqual(schema);
    expect(complete({ grammar: 'root ::= "a"' })?.grammar).toBe('root ::= "a"');
  });

  it("documents and reasoning_effort are the template's", () => {
    const documents = [{ title: "t", text: "x" }];
    expect(chat({ documents }).chatVariables).toEqual({ documents });
    expect(chat({ documents, chat_template_kwargs: { documents: [] } }).chatVariables).toEqual({
      documents: [],
    });
    expect(chat({ reasoning_effort: "none" }).chatVariables).toMatchObject({ enable_thinking: false });
  });

  it("add_special_tokens is a completion's begin token", () => {
    expect(complete({ add_special_tokens: false })?.addSpecial).toBe(false);
    expect(chat({ add_special_tokens: false })).not.toHaveProperty("addSpecial");
  });

  it("a response_format beside tools is refused, unless none is to be called", () => {
    const tools = [{ function: { name: "f" } }];
    const response_format = { type: "json_object" };
    for (const tool_choice of [
      undefined,
      "auto",
      "required",
      { type: "function", function: { name: "f" } },
    ]) {
      expect(refusal(() => chat({ tools, response_format, tool_choice }))).toMatchObject({
        param: "response_format",
        message: expect.stringContaining("beside tools"),
      });
    }
    expect(chat({ tools, response_format, tool_choice: "none" })).toMatchObject({
      tools: [{ name: "f" }],
      jsonSchema: { type: "object" },
    });
    expect(chat({ tool_choice: "none" })).toMatchObject({ messages });
  });
});
