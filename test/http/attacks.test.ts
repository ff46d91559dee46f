// Requests that are meant to harm, against the embedded model: each is refused or answered as it should
// be, and the server goes on. Bodies, keys and sockets are in http.test.ts, fields in test/openai.
import { expect, it } from "vitest";
import { call, json, until, withServer } from "./scene.js";

const huge = "9007199254740993";
const many = (count: number, item: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => item(i));

/** Fields beside a prompt, as JSON text, and the field that the refusal names. */
const refused: readonly (readonly [string, string])[] = [
  ['"n":0', "n"],
  ['"n":-1', "n"],
  ['"n":2147483648', "n"],
  ['"n":1.5', "n"],
  ['"max_tokens":-1', "max_tokens"],
  ['"temperature":-1', "temperature"],
  ['"temperature":1e999', "temperature"],
  ['"top_p":1.5', "top_p"],
  ['"min_p":2', "min_p"],
  ['"logprobs":1000000', "logprobs"],
  ['"logit_bias":{"-1":1}', "logit_bias"],
  ['"logit_bias":{"99999999":1}', "logit_bias"],
  [`"stop":${JSON.stringify(many(10_000, String))}`, "stop"],
  ['"stop":[""]', "stop"],
];

it("numbers and lists beyond what a field takes are refused by the field's name", async () => {
  await withServer({}, async ({ url }) => {
    for (const [fields, name] of refused) {
      const body = `{"prompt":"Once","max_tokens":1,${fields}}`;
      const { status, json: told } = await call(`${url}/v1/completions`, "POST", body, json);
      expect([fields.slice(0, 40), status]).toEqual([fields.slice(0, 40), 400]);
      expect(told.error.message).toContain(name);
    }
    const seed = await call(`${url}/v1/completions`, "POST", `{"prompt":"a","seed":${huge}}`, json);
    expect(seed.status).toBeLessThan(500);
  });
});

/** Prompts that are none. */
const prompts: readonly string[] = ["[-1]", "[99999999]", "[2147483648]", "[1.5]", "[[]]", "{}", "5"];

it("prompts that are none, or do not fit, are refused, and the server goes on", async () => {
  await withServer({}, async ({ url }) => {
    const send = (prompt: string) =>
      call(`${url}/v1/completions`, "POST", `{"prompt":${prompt},"max_tokens":1}`, json);
    for (const prompt of prompts) expect([prompt, (await send(prompt)).status]).toEqual([prompt, 400]);
    const long = await send(JSON.stringify("a ".repeat(100_000)));
    expect(long).toMatchObject({ status: 400, json: { error: { code: "context_overflow" } } });
    expect((await send('"Once"')).status).toBe(200);
  });
});

/** What binds an answer, as JSON text of response_format or a field. */
const schemas: readonly string[] = [
  '{"$ref":"#/nowhere"}',
  '{"type":"array","items":{"type":"integer"},"minItems":9223372036854775808}',
  '{"type":"string","minLength":1e18}',
  '{"enum":[]}',
  '{"type":"string","pattern":"^+x$"}',
  '{"type":"string","pattern":"{2}x"}',
  `{"type":"string","pattern":"${"(".repeat(60_000)}"}`,
  '{"type":"string","pattern":"(?<=a)b"}',
  '{"type":5}',
  `${'{"type":"array","items":'.repeat(5000)}{}${"}".repeat(5000)}`,
];

it("schemas that cannot bind an answer are refused without delay to others", async () => {
  await withServer({}, async ({ url }) => {
    for (const schema of schemas) {
      const format = `{"type":"json_schema","json_schema":{"name":"x","schema":${schema}}}`;
      const body = `{"messages":[{"role":"user","content":"a"}],"max_tokens":1,"response_format":${format}}`;
      const { status } = await call(`${url}/v1/chat/completions`, "POST", body, json);
      expect([schema.slice(0, 60), status]).toEqual([schema.slice(0, 60), 400]);
    }
    expect((await call(`${url}/ping`)).status).toBe(200);
  });
});

it("ten times the queue gets 429 with Retry-After, and what was admitted is answered whole", async () => {
  await withServer({ options: { maxQueue: 6 } }, async ({ url, server }) => {
    const body = JSON.stringify({ prompt: "Once", max_tokens: 20, ignore_eos: true });
    const send = () => call(`${url}/v1/completions`, "POST", body, json);
    const replies = await Promise.all(Array.from({ length: 100 }, send)); // 4 slots and 6 that wait
    const admitted = replies.filter(({ status }) => status === 200);
    const others = replies.filter(({ status }) => status !== 200);
    expect(admitted.length).toBeGreaterThanOrEqual(10);
    for (const { json: told } of admitted) expect(told.usage.completion_tokens).toBe(20);
    for (const { status, headers } of others) expect([status, headers["retry-after"]]).toEqual([429, "1"]);
    await until(() => server.jobs === 0);
  });
});

/** Conversations that are none, as JSON text of a message, and the field that the refusal names. */
const conversations: readonly (readonly [string, string | null])[] = [
  ['{"role":"user"}', "messages[0].content"],
  ['{"role":"user","content":null}', "messages[0].content"],
  ['{"role":"system"}', "messages[0].content"],
  ['{"role":"robot","content":"a"}', null], // the template's own words
  ['{"role":"user","content":[{"type":"hologram"}]}', "messages[0].content[0].type"],
  [
    '{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://169.254.169.254/"}}]}',
    "messages[0].content[0].type",
  ],
  [
    '{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}',
    "messages[0].content[0].type",
  ],
  ['"hi"', "messages[0]"],
];

it("conversations that are none are refused by the field's name, and nothing is fetched", async () => {
  await withServer({}, async ({ url }) => {
    const send = (body: string) => call(`${url}/v1/chat/completions`, "POST", body, json);
    for (const [message, name] of conversations) {
      const { status, json: told } = await send(`{"messages":[${message}],"max_tokens":1}`);
      expect([message, status, told.error?.param]).toEqual([message, 400, name]);
    }
    const usual = '"messages":[{"role":"user","content":"a"}],"max_tokens":1';
    for (const field of [
      '"chat_template":"{{ x }}"',
      '"chat_template_kwargs":[1]',
      '"tool_choice":"sometimes"',
    ])
      expect([field, (await send(`{${usual},${field}}`)).status]).toEqual([field, 400]);
    const many = Array(20_000).fill('{"role":"user","content":"a"}').join(",");
    expect((await send(`{"messages":[${many}]}`)).status).toBe(400);
    expect((await send(`{${usual}}`)).status).toBe(200);
  });
});

it("a prompt of the whole context, one token less and one more is answered or refused with both numbers", async () => {
  await withServer({}, async ({ url }) => {
    const send = (fields: object) =>
      call(`${url}/v1/completions`, "POST", JSON.stringify({ max_tokens: 1, ...fields }), json);
    const asked = await call(`${url}/tokenize`, "POST", '{"prompt":"a"}', json);
    const context: number = asked.json.max_model_len;
    const scored = { max_tokens: 0, echo: true, logprobs: 1 };
    for (const fields of [{}, scored]) {
      for (const [length, expected] of [
        [context - 1, 200],
        [context, 400],
        [context + 1, 400],
      ] as const) {
        const reply = await send({ prompt: Array(length).fill(300), ...fields });
        expect([length, fields, reply.status]).toEqual([length, fields, expected]);
        if (expected === 400)
          expect(reply.json.error.message).toMatch(RegExp(`${length} tokens.*${context}`));
      }
    }
  });
});
