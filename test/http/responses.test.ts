// OpenAI's own client against /v1/responses: whole and streamed, tools and schemas by its
// helpers, conversations by previous_response_id; what is kept, and what a client that leaves ends.
import type OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { templateText } from "../helpers/templates.js";
import { call, json, until, withServer } from "./scene.js";

const model = "tinytale";
const input = "Tell me a story about a fox.";
const story = { model, input, max_output_tokens: 16, temperature: 0 };
const withTools = { CHAT_TEMPLATE: templateText("Qwen-Qwen2.5-7B-Instruct") };
const parameters = {
  type: "object",
  properties: { unit: { enum: ["celsius", "kelvin"] } },
  required: ["unit"],
  additionalProperties: false,
};
const tools = [{ type: "function" as const, name: "get_weather", parameters, strict: true }];
const calling = {
  model,
  input: [{ role: "user" as const, content: "Is it warm?" }],
  tools,
  tool_choice: "required" as const,
  parallel_tool_calls: false,
  temperature: 0,
  max_output_tokens: 200,
};

type Events = OpenAI.Responses.ResponseStreamEvent[];

async function eventsOf(stream: AsyncIterable<OpenAI.Responses.ResponseStreamEvent>): Promise<Events> {
  const events: Events = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** Types of events, those that repeat once. */
function course(events: Events): readonly string[] {
  const types = events.map(({ type }) => type.replace(/^response\./, ""));
  return types.filter((type, index) => type !== types[index - 1]);
}

function withoutIds(response: object): unknown {
  return JSON.parse(
    JSON.stringify(response, (name, value) =>
      ["id", "item_id", "call_id", "created_at", "cached_tokens", "sequence_number"].includes(name)
        ? undefined
        : value,
    ),
  );
}

const opening = ["created", "in_progress", "output_item.added"];

describe("/v1/responses", () => {
  it("answers whole and streamed alike, in events that are numbered", async () => {
    await withServer({}, async ({ client }) => {
      const { responses } = client();
      const whole = await responses.create(story);
      expect(whole).toMatchObject({ object: "response", status: "incomplete", model });
      expect(whole.incomplete_details).toEqual({ reason: "max_output_tokens" });
      expect(whole.usage).toMatchObject({
        output_tokens: 16,
        output_tokens_details: { reasoning_tokens: 0 },
      });
      const events = await eventsOf(await responses.create({ ...story, stream: true }));
      expect(course(events)).toEqual([
        ...opening,
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
      ]);
      expect(events.map((event) => "sequence_number" in event && event.sequence_number)).toEqual([
        ...events.keys(),
      ]);
      const last = events.at(-1);
      if (last?.type !== "response.incomplete") throw new Error("the limit ends it");
      expect(withoutIds(last.response)).toEqual(withoutIds({ ...whole, output_text: undefined }));
      const text = events.map((event) => (event.type === "response.output_text.delta" ? event.delta : ""));
      expect(text.join("")).toBe(whole.output_text);
      const ended = await responses.create({ ...story, input: "Who are you?", max_output_tokens: 200 });
      expect([ended.status, ended.incomplete_details]).toEqual(["completed", null]);
      const stream = responses.stream({ ...story, input: "Who are you?", max_output_tokens: 200 });
      expect((await stream.finalResponse()).output_text).toBe(ended.output_text);
    });
  });

  it("keeps responses until they are deleted, and none that is not to be stored", async () => {
    await withServer({}, async ({ client, url }) => {
      const { responses } = client();
      const made = await responses.create({ ...story, metadata: { topic: "foxes" } });
      const kept = await responses.retrieve(made.id);
      expect(kept.output_text).toBe(made.output_text);
      expect(kept.metadata).toEqual({ topic: "foxes" });
      await expect(responses.cancel(made.id)).rejects.toMatchObject({ status: 400, param: "response_id" });
      await expect(responses.retrieve(made.id, { stream: true })).rejects.toMatchObject({ param: "stream" });
      expect((await call(`${url}/v1/responses/${made.id}`, "DELETE")).json).toEqual({
        id: made.id,
        object: "response",
        deleted: true,
      });
      await expect(responses.retrieve(made.id)).rejects.toMatchObject({
        status: 404,
        code: "response_not_found",
      });
      await expect(responses.delete(made.id)).rejects.toMatchObject({ status: 404 });
      const forgotten = await responses.create({ ...story, store: false });
      await expect(responses.retrieve(forgotten.id)).rejects.toMatchObject({ status: 404 });
      const put = await call(`${url}/v1/responses/${made.id}`, "PUT", "{}", json);
      expect([put.status, put.headers.allow]).toEqual([405, "GET, HEAD, DELETE"]);
      await responses.create({ ...story, ...{ request_id: "mine" } });
      await expect(responses.create({ ...story, ...{ request_id: "mine" } })).rejects.toMatchObject({
        param: "request_id",
      });
    });
  });

  it("goes on with a response as with the items of its conversation", async () => {
    await withServer({}, async ({ client }) => {
      const { responses } = client();
      const first = await responses.create({ ...story, instructions: "Be brief." });
      const next = { ...story, input: "And then?" };
      const second = await responses.create({ ...next, previous_response_id: first.id });
      expect(second.previous_response_id).toBe(first.id);
      const items = [
        { role: "user" as const, content: input },
        ...first.output,
        { role: "user" as const, content: "And then?" },
      ] as OpenAI.Responses.ResponseInput;
      const same = await responses.create({ ...story, input: items });
      expect(same.output_text).toBe(second.output_text);
      expect(same.usage?.input_tokens).toBe(second.usage?.input_tokens);
      const third = await responses.create({ ...next, previous_response_id: second.id, stream: true });
      const last = (await eventsOf(third)).at(-1);
      expect(last).toMatchObject({ type: "response.incomplete" });
      await expect(responses.create({ ...next, previous_response_id: "resp_none" })).rejects.toMatchObject({
        status: 404,
        param: "previous_response_id",
      });
    });
  });

  it("binds the text to a schema, which the client's helper parses", async () => {
    await withServer({}, async ({ client }) => {
      const format = zodTextFormat(z.object({ likes: z.enum(["foxes", "owls"]) }), "answer");
      const request = { ...story, max_output_tokens: 200, text: { format } };
      const { output_parsed } = await client().responses.parse(request);
      expect(["foxes", "owls"]).toContain(output_parsed?.likes);
      const streamed = await client().responses.stream(request).finalResponse();
      expect(streamed.output_parsed).toEqual(output_parsed);
    });
  });

  it("calls functions, whole and streamed alike, and takes what they gave", async () => {
    await withServer({ environment: withTools }, async ({ client }) => {
      const { responses } = client();
      const whole = await responses.create(calling);
      const [called] = whole.output;
      if (called?.type !== "function_call") throw new Error("a function is called");
      expect(called.name).toBe("get_weather");
      expect(["celsius", "kelvin"]).toContain(JSON.parse(called.arguments).unit);
      const events = await eventsOf(await responses.create({ ...calling, stream: true }));
      expect(course(events)).toEqual([
        ...opening,
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
      ]);
      const stream = responses.stream(calling);
      const [streamed] = (await stream.finalResponse()).output;
      expect(streamed).toMatchObject({ name: called.name, arguments: called.arguments });
      const given = { type: "function_call_output" as const, call_id: called.call_id, output: "21" };
      const after = { model, tools, temperature: 0, max_output_tokens: 8 };
      const byId = await responses.create({ ...after, input: [given], previous_response_id: whole.id });
      const byItems = await responses.create({ ...after, input: [...calling.input, called, given] });
      expect(byItems.output_text).toBe(byId.output_text);
      expect(byItems.usage?.input_tokens).toBe(byId.usage?.input_tokens);
    });
  });

  it("tells thoughts as items of their own, and takes them back", async () => {
    const environment = { CHAT_TEMPLATE: templateText("Qwen-QwQ-32B") };
    await withServer({ environment }, async ({ client }) => {
      const { responses } = client();
      const whole = await responses.create(story);
      expect(whole.output).toMatchObject([{ type: "reasoning", content: [{ type: "reasoning_text" }] }]);
      expect(whole.usage?.output_tokens_details.reasoning_tokens).toBe(16);
      const events = await eventsOf(await responses.create({ ...story, stream: true }));
      expect(course(events)).toEqual([
        ...opening,
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
      ]);
      const again = [...whole.output, { role: "user" as const, content: "And?" }];
      const taken = await responses.create({ ...story, input: again as OpenAI.Responses.ResponseInput });
      expect(taken.status).toBe("incomplete");
    });
  });

  it("stands below an endpoint's address, and says why it refuses there too", async () => {
    await withServer({}, async ({ url, client }) => {
      const below = client().withOptions({ baseURL: `${url}/v2/any/openai/v1` }).responses;
      const made = await below.create(story);
      expect((await below.retrieve(made.id)).id).toBe(made.id);
      await expect(below.create({ ...story, background: true })).rejects.toMatchObject({
        status: 400,
        param: "background",
      });
    });
  });
});

describe("a client of /v1/responses that leaves", () => {
  it("ends its generation, streamed or not", async () => {
    await withServer({}, async ({ client, served, server }) => {
      const endless = { model, input, max_output_tokens: 900, ...{ ignore_eos: true } };
      const isIdle = () => served.text?.stats().running === 0 && server.jobs === 0;
      for await (const _event of await client().responses.create({ ...endless, stream: true })) break;
      await until(isIdle);
      const leaving = new AbortController();
      const whole = client().responses.create(endless, { signal: leaving.signal });
      await until(() => served.text?.stats().running === 1);
      leaving.abort();
      await expect(whole).rejects.toThrow("aborted");
      await until(isIdle);
      expect(served.text?.stats()).toMatchObject({ cancelled: 2, failed: 0 });
    });
  });

  it("hears in an event of its stream that the server leaves", async () => {
    await withServer({ options: { drainMs: 0 } }, async ({ url, signal }) => {
      const body = { model, input, max_output_tokens: 900, ignore_eos: true, stream: true };
      const reply = await fetch(`${url}/v1/responses`, {
        method: "POST",
        headers: json,
        body: JSON.stringify(body),
      });
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
        if (text === "") signal("SIGTERM");
        text += decoder.decode(chunk, { stream: true });
      }
      const events = text.trim().split("\n\n");
      expect(events[0]).toMatch(/^event: response\.created\ndata: \{/);
      expect(events.at(-1)).toMatch(/^event: error\ndata: \{/);
      const last = JSON.parse(events.at(-1)?.split("\ndata: ")[1] ?? "");
      expect(last).toMatchObject({ code: "shutting_down", sequence_number: events.length - 1 });
    });
  });
});
