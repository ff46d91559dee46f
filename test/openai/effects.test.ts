// Fields that were once accepted and did nothing, by what they do to an answer.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chatFields } from "../../src/openai/chat-request.js";
import { completionFields } from "../../src/openai/completion-request.js";
import { constraintFields } from "../../src/openai/constraints.js";
import { fieldsOfOneValue, fieldsWithoutEffect, optionFields } from "../../src/openai/field-table.js";
import { tableBelow } from "./documented.js";
import { type Api, type Json, openApi, type Reply } from "./scene.js";

const template =
  "{% for d in documents or [] %}<doc>{{ d.text }}</doc>{% endfor %}" +
  "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}" +
  "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}{% endfor %}{% endfor %}";
const messages = [{ role: "user", content: "Hi" }];
const few = { messages, max_tokens: 8, temperature: 0 };

interface Whole {
  readonly usage?: { readonly prompt_tokens: number };
  readonly choices?: readonly { readonly message: { readonly content: string } }[];
}

const promptTokens = ({ reply }: Reply) => (reply as Whole).usage?.prompt_tokens ?? Number.NaN;
const content = ({ reply }: Reply) => (reply as Whole).choices?.[0]?.message.content ?? "";

describe("a field that once did nothing", () => {
  let api: Api;
  beforeAll(async () => {
    api = await openApi({ CHAT_TEMPLATE: template });
  }, 60_000);
  afterAll(() => api.close());
  const chat = (body: Json) => api.chat({ ...few, ...body });

  it("json_object's schema binds the text", async () => {
    const schema = { type: "boolean" };
    const bound = await chat({ response_format: { type: "json_object", schema } });
    expect(["true", "false"]).toContain(content(bound).trim());
  });

  it("add_special_tokens false leaves out the begin token", async () => {
    const ask = (body: Json) => api.complete({ prompt: "Once upon a time", max_tokens: 1, ...body });
    const whole = promptTokens(await ask({}));
    expect(promptTokens(await ask({ add_special_tokens: true }))).toBe(whole);
    expect(promptTokens(await ask({ add_special_tokens: "false" }))).toBe(whole - 1);
    expect((await ask({ prompt: "", add_special_tokens: false })).status).toBe(400);
  });

  it("documents are the template's", async () => {
    const documents = [{ text: "Mia is seven." }];
    const bare = promptTokens(await chat({}));
    const told = promptTokens(await chat({ documents }));
    expect(told).toBeGreaterThan(bare);
    expect(promptTokens(await chat({ chat_template_kwargs: { documents } }))).toBe(told);
  });

  it("request_id is in the answer's id", async () => {
    expect((await chat({ request_id: "mine" })).reply?.id).toBe("chatcmpl-mine");
    const { events = [] } = await api.complete({ prompt: "a", request_id: "mine", stream: true });
    expect((events[0] as Json).id).toBe("cmpl-mine");
  });

  it("continuous_usage_stats is refused where usage is told, and nothing where it is not", async () => {
    const ask = (stream_options: Json) => chat({ stream: true, stream_options });
    const { status, reply } = await ask({ include_usage: true, continuous_usage_stats: true });
    expect([status, reply?.error]).toMatchObject([400, { param: "stream_options.continuous_usage_stats" }]);
    expect((await ask({ continuous_usage_stats: true })).status).toBe(200);
    expect((await ask({ include_usage: true, include_obfuscation: false })).status).toBe(200);
  });

  it("what vLLM's definitions limit in another way is what docs/openai.md says", async () => {
    for (const [request = "", , status] of tableBelow("Limits")) {
      const answered = await chat(JSON.parse(request) as Json);
      expect([request, String(answered.status)]).toEqual([request, status]);
    }
  });

  it("whatever a field holds, it is taken or refused by its name", async () => {
    const names = [...optionFields.keys(), ...fieldsWithoutEffect, ...Object.keys(fieldsOfOneValue)];
    const own = new Set([...chatFields, ...completionFields, "__proto__", "constructor", "toString"]);
    const contents = new Set<string>(constraintFields); // is refused for its text, not its type
    for (const name of new Set([...names, ...own])) {
      for (const [index, value] of [true, -1.5, "x", [], {}, [null]].entries()) {
        const rest = `,"max_tokens":1,${JSON.stringify(name)}:${JSON.stringify(value)}}`;
        const asked = index % 2 === 0 ? "/v1/chat/completions" : "/v1/completions";
        const subject = index % 2 === 0 ? '{"messages":[{"role":"user","content":"Hi"}]' : '{"prompt":"Hi"';
        const { status, reply } = await api.call(asked, JSON.parse(subject + rest));
        const { param, message } = (reply?.error ?? {}) as {
          readonly param?: string;
          readonly message?: string;
        };
        expect([name, value, message, status < 500]).toEqual([name, value, message, true]);
        if (status === 200 || contents.has(name)) continue;
        expect([name, value, message, param?.split(/[.[]/)[0]]).toEqual([name, value, message, name]);
      }
    }
  });

  it("a response_format binds beside tools of which none may be called", async () => {
    const tools = [{ type: "function", function: { name: "get_weather" } }];
    const response_format = {
      type: "json_schema",
      json_schema: { name: "x", schema: { enum: ["yes", "no"] } },
    };
    const bound = await chat({ tools, response_format, tool_choice: "none" });
    expect(['"yes"', '"no"']).toContain(content(bound).trim());
  });
});
