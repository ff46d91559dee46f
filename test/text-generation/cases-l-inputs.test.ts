// Conformance cases L: what a text-generation job may say, and its answers.
import { describe, expect, it } from "vitest";
import { embeddedModelPath, loadModel } from "../../src/index.js";
import { eventsOf, withTextWorker } from "./scene.js";

const messages = [{ role: "user", content: "Tell me a story about a fox." }];
const short = { max_tokens: 12, temperature: 0 };

interface Choice {
  readonly index: number;
  readonly text?: string;
  readonly message?: { readonly role: string; readonly content: string | null };
  readonly delta?: { readonly role?: string; readonly content?: string };
  readonly finish_reason: string | null;
}

interface Answer {
  readonly object: string;
  readonly model: string;
  readonly choices: readonly Choice[];
  readonly usage?: Readonly<Record<string, number>>;
}

const one = (output: unknown) => {
  expect(output).toHaveLength(1);
  return (output as readonly Answer[])[0] as Answer;
};

describe("the inputs of a text-generation job", () => {
  it("the guide's contract: one object, never a list, with real token counts", async () => {
    await withTextWorker({}, async ({ run, platform }) => {
      const input = { prompt: "Tell me a story.", system_prompt: "Be brief.", params: short };
      const { output, stream } = await run(input);
      expect(Object.keys(output as object)).toEqual(["generated_text", "model", "usage"]);
      const { generated_text: text, model, usage } = output as Record<string, never>;
      expect(typeof text).toBe("string");
      expect(model).toBe("tinytale");
      expect(stream).toEqual([]);
      const file = await loadModel(embeddedModelPath());
      const said = [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Tell me a story." },
      ];
      const { prompt } = await file.renderChat(said);
      const tokens = file.tokenize(prompt, { parseSpecial: true }).length;
      expect(usage).toMatchObject({
        prompt_tokens: tokens,
        completion_tokens: 12,
        total_tokens: tokens + 12,
      });
      await file.close();
      expect(platform.violations).toEqual([]);
    });
  });

  it("the guide's contract: defaults are told, and can be configured", async () => {
    const environment = { SYSTEM_PROMPT: "", DEFAULT_MAX_TOKENS: "5", DEFAULT_TEMPERATURE: "0" };
    await withTextWorker(environment, async ({ run }) => {
      const first = (await run({ prompt: "Hello" })).output as { usage: { completion_tokens: number } };
      const again = (await run({ prompt: "Hello" })).output as { generated_text: string };
      expect(first.usage.completion_tokens).toBe(5);
      expect(again).toMatchObject({
        generated_text: (first as never as { generated_text: string }).generated_text,
      });
    });
  });

  it("the guide's contract: a stream is deltas, the last with model and usage", async () => {
    await withTextWorker({}, async ({ run }) => {
      const whole = (await run({ prompt: "Tell me a story.", params: short })).output as {
        generated_text: string;
      };
      const { stream, output } = await run({
        prompt: "Tell me a story.",
        params: { ...short, stream: true },
      });
      const chunks = stream as { generated_text: string; usage?: object }[];
      expect(chunks.map((chunk) => chunk.generated_text).join("")).toBe(whole.generated_text);
      expect(chunks.filter((chunk) => chunk.usage !== undefined)).toEqual([chunks.at(-1)]);
      expect(output).toEqual(stream);
    });
  });

  it("case 109: chat/completions and completions, whole and streamed, say the same", async () => {
    await withTextWorker({}, async ({ run }) => {
      const chat = one(
        (await run({ openai_route: "/v1/chat/completions", openai_input: { messages, ...short } })).output,
      );
      expect(chat).toMatchObject({ object: "chat.completion", model: "tinytale" });
      expect(chat.choices[0]).toMatchObject({
        index: 0,
        message: { role: "assistant" },
        finish_reason: "length",
      });
      const openai_input = { messages, ...short, stream: true, stream_options: { include_usage: true } };
      const streamed = await run({ openai_route: "/v1/chat/completions", openai_input });
      const events = eventsOf(streamed.stream) as never as Answer[];
      expect(events.map((event) => event.choices[0]?.delta?.content ?? "").join("")).toBe(
        chat.choices[0]?.message?.content,
      );
      expect(events[0]?.choices[0]?.delta).toEqual({ role: "assistant", content: "" });
      expect(events.at(-2)?.choices[0]?.finish_reason).toBe("length");
      expect(events.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 12 } });
      expect((streamed.output as string[]).join("")).toBe(streamed.stream.join("")); // the aggregate
      const plain = { prompt: "Once upon a time", ...short };
      const completion = one((await run({ openai_route: "/v1/completions", openai_input: plain })).output);
      const pieces = await run({ openai_route: "/v1/completions", openai_input: { ...plain, stream: true } });
      const texts = (eventsOf(pieces.stream) as never as Answer[]).map(
        (event) => event.choices[0]?.text ?? "",
      );
      expect(texts.join("")).toBe(completion.choices[0]?.text);
    });
  });

  it("case 110: models are a list, whatever comes beside the route", async () => {
    await withTextWorker({ OPENAI_SERVED_MODEL_NAME_OVERRIDE: "one, two" }, async ({ run }) => {
      for (const openai_input of [{}, null, undefined]) {
        const { output } = await run({
          openai_route: "/v1/models",
          ...(openai_input !== undefined && { openai_input }),
        });
        const [list] = output as { data: { id: string }[] }[];
        expect(list?.data.map((model) => model.id)).toEqual(["one", "two", "tinytale"]);
      }
      const answer = one((await run({ openai_input: { model: "two", messages, ...short } })).output);
      expect(answer.model).toBe("two");
    });
  });

  it("case 110: an empty request is refused for what it lacks, not for its method", async () => {
    await withTextWorker({}, async ({ run }) => {
      const { error } = await run({ openai_route: "/v1/chat/completions", openai_input: {} });
      expect(error).toMatchObject({ param: "messages" });
    });
  });

  it("case 111: openai_input alone is a conversation", async () => {
    await withTextWorker({}, async ({ run }) => {
      expect(one((await run({ openai_input: { messages, ...short } })).output).object).toBe(
        "chat.completion",
      );
    });
  });

  it("case 112: the generic form carries any route", async () => {
    await withTextWorker({}, async ({ run }) => {
      const body = { messages, ...short };
      expect(one((await run({ route: "/v1/chat/completions", body })).output).object).toBe("chat.completion");
      expect((await run({ route: "/health" })).output).toEqual([{ status: "ok" }]);
      const wrong = await run({ route: "/v1/chat/completions", method: "GET" });
      expect(wrong.error?.message).toContain("takes POST");
    });
  });

  it("case 113: a prompt, messages, both, neither", async () => {
    await withTextWorker({ WORKER_INPUT_FORMAT: "vllm" }, async ({ run }) => {
      expect(one((await run({ prompt: "Once", sampling_params: short })).output).object).toBe(
        "text_completion",
      );
      expect(one((await run({ messages, sampling_params: short })).output).object).toBe("chat.completion");
      expect(one((await run({ messages, prompt: "x", sampling_params: short })).output).object).toBe(
        "chat.completion",
      );
      expect(one((await run({ prompt: "Once" })).output).object).toBe("text_completion"); // not the guide's
      const { status, error } = await run({});
      expect(status).toBe("FAILED");
      expect(error?.message).toBe(
        "Job input must contain one of: openai_input (+openai_route), route (+body), or prompt/messages.",
      );
    });
  });

  it("case 114: sampling_params that are null, unknown or without max_tokens", async () => {
    await withTextWorker({}, async ({ run, worker }) => {
      const none = one((await run({ prompt: "Once", sampling_params: null })).output);
      expect(none.usage?.completion_tokens).toBeLessThanOrEqual(16);
      const mistyped = { prompt: "Once", sampling_params: { temprature: 1, max_tokens: 2 } };
      expect(one((await run(mistyped)).output).usage?.completion_tokens).toBe(2);
      await run({ ...mistyped, mood: "glad" });
      const told = worker.lines.filter((line) => line.includes("unknown field"));
      expect(told.map((line) => /field "([^"]*)"/.exec(line.replaceAll("\\", ""))?.[1])).toEqual([
        "temprature",
        "input.mood",
      ]);
    });
    await withTextWorker({ OPENAI_STRICT_FIELDS: "1" }, async ({ run }) => {
      const { error } = await run({ prompt: "Once", sampling_params: { temprature: 1 } });
      expect(error).toMatchObject({ message: "temprature is not supported", param: "temprature" });
    });
  });

  it("case 115: apply_chat_template makes a prompt a conversation", async () => {
    await withTextWorker({}, async ({ run }) => {
      const [user] = messages;
      const wrapped = one(
        (await run({ prompt: user?.content, apply_chat_template: true, sampling_params: short })).output,
      );
      const said = one((await run({ messages, sampling_params: short })).output);
      expect(wrapped.choices).toEqual(said.choices);
    });
  });

  it("case 116: a model that is not served is OpenAI's 404, as text", async () => {
    await withTextWorker({}, async ({ run }) => {
      const { status, error } = await run({ openai_input: { model: "gpt-9", messages } });
      expect(status).toBe("FAILED");
      expect(error).toMatchObject({ type: "not_found_error", code: "model_not_found", param: "model" });
    });
  });

  it('case 117: "true" is true, as in vLLM, and "maybe" nothing', async () => {
    await withTextWorker({}, async ({ run }) => {
      const { stream } = await run({ openai_input: { messages, ...short, max_tokens: "2", stream: "true" } });
      expect(eventsOf(stream).at(-1)).toMatchObject({ choices: [{ finish_reason: "length" }] });
      const { error } = await run({ openai_input: { messages, stream: "maybe" } });
      expect(error?.message).toBe("stream must be true or false");
    });
  });

  it("case 118: the old format's chunks grow, or are as large as they were asked for", async () => {
    await withTextWorker({}, async ({ run }) => {
      const sampling_params = { max_tokens: 60, temperature: 0 };
      const sizes = async (fields: object) => {
        const { stream } = await run({
          prompt: "Once upon a time",
          stream: true,
          sampling_params,
          ...fields,
        });
        return (stream as { choices: { tokens: string[] }[] }[]).map(
          (chunk) => chunk.choices[0]?.tokens.length,
        );
      };
      expect(await sizes({ max_batch_size: 50 })).toEqual([1, 3, 9, 27, 20]);
      expect(await sizes({ max_batch_size: 25, min_batch_size: 25 })).toEqual([25, 25, 10]);
      expect(await sizes({ max_batch_size: 40, batch_size_growth_factor: 1 })).toEqual([40, 20]);
      const whole = await run({ prompt: "Once upon a time", max_batch_size: 50, sampling_params: short });
      expect(whole.output).toMatchObject([
        { choices: [{ tokens: [expect.any(String)] }], usage: { input: 5, output: 12 } },
      ]);
    });
  });

  it("case 119: RAW_OPENAI_OUTPUT=0 gives objects instead of events, and no [DONE]", async () => {
    await withTextWorker({ RAW_OPENAI_OUTPUT: "0" }, async ({ run }) => {
      const { stream } = await run({ openai_input: { messages, ...short, stream: true } });
      for (const item of stream) expect(item).toMatchObject([{ object: "chat.completion.chunk" }]);
    });
  });

  it("case 119: text that contains [DONE] is text, whichever way it is streamed", async () => {
    for (const raw of ["0", "1"]) {
      await withTextWorker({ RAW_OPENAI_OUTPUT: raw }, async ({ run }) => {
        const bound = { structured_outputs: { choice: ["say [DONE] now"] } };
        const { stream } = await run({ openai_input: { messages, max_tokens: 20, stream: true, ...bound } });
        const chunks = (raw === "1" ? eventsOf(stream) : stream.flat()) as {
          choices: { delta: { content?: string } }[];
        }[];
        expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("say [DONE] now");
      });
    }
  });

  it("case 120: n, logprobs, stop and seed through the job path", async () => {
    await withTextWorker({}, async ({ run }) => {
      const openai_input = {
        messages,
        max_tokens: 20,
        n: 2,
        seed: 7,
        logprobs: true,
        top_logprobs: 2,
        stop: ["."],
      };
      const answer = one((await run({ openai_input })).output) as Answer & {
        choices: { logprobs: { content: { token: string; top_logprobs: object[] }[] } }[];
      };
      expect(answer.choices.map((choice) => choice.index)).toEqual([0, 1]);
      for (const choice of answer.choices) {
        expect(choice.message?.content).not.toContain(".");
        expect(choice.logprobs.content.every((each) => each.top_logprobs.length === 2)).toBe(true);
      }
      expect(one((await run({ openai_input })).output).choices).toEqual(answer.choices);
    });
  });

  it("case 120: JSON schemas, choices and regular expressions bind the text", async () => {
    await withTextWorker({}, async ({ run }) => {
      const schema = {
        type: "object",
        properties: { a: { enum: ["x", "y"] } },
        required: ["a"],
        additionalProperties: false,
      };
      const text = async (fields: object) =>
        one((await run({ openai_input: { messages, max_tokens: 60, ...fields } })).output).choices[0]?.message
          ?.content ?? "";
      const format = { type: "json_schema", json_schema: { name: "n", schema } };
      expect(["x", "y"]).toContain(JSON.parse(await text({ response_format: format })).a);
      expect(["x", "y"]).toContain(JSON.parse(await text({ guided_json: JSON.stringify(schema) })).a);
      expect(["yes", "no"]).toContain(await text({ guided_choice: ["yes", "no"] }));
      expect(await text({ structured_outputs: { regex: "[0-9]{3}" } })).toMatch(/^[0-9]{3}$/);
      expect(await text({ guided_grammar: 'root ::= "a" "b"' })).toBe("ab");
    });
  });

  it("case 121: a conversation that is too long is refused, and the worker goes on", async () => {
    await withTextWorker({ MAX_MODEL_LEN: "64" }, async ({ run }) => {
      const long = [{ role: "user", content: "word ".repeat(200) }];
      const { error } = await run({ openai_input: { messages: long, max_tokens: 4 } });
      expect(error).toMatchObject({ type: "invalid_request_error", code: "context_overflow" });
      const streamed = await run({ openai_input: { messages: long, max_tokens: 4, stream: true } });
      expect(streamed.status).toBe("FAILED");
      expect(String(streamed.stream[0])).toMatch(/^data: \{"error":\{"message"/);
      expect(
        (await run({ openai_input: { messages: [{ role: "user", content: "Hi" }], max_tokens: 4 } })).status,
      ).toBe("COMPLETED");
    });
  });

  it("case 123: routes that are not there are named", async () => {
    await withTextWorker({}, async ({ run }) => {
      expect((await run({ openai_route: "/v1/foo" })).error?.message).toBe(
        "the route /v1/foo does not exist",
      );
      for (const route of ["/v1/conversations", "/pooling", "/v1/score"]) {
        const { error, status } = await run({ openai_route: route, openai_input: { input: "x" } });
        expect(status).toBe("FAILED");
        expect(error?.message).toBe(`the route ${route} is not supported`);
      }
    });
  });

  it("errors name the fields that the job used, whichever format it speaks", async () => {
    await withTextWorker({}, async ({ run }) => {
      const wrong: readonly [object, string][] = [
        [{ prompt: "Once", params: { max_tokens: 0 } }, "max_tokens"],
        [{ prompt: "Once", params: { repeat_penalty: 0 } }, "repeat_penalty"],
        [{ prompt: "Once", sampling_params: { max_tokens: 0 }, max_batch_size: 4 }, "max_tokens"],
        [{ prompt: ["Once", "The fox"], max_batch_size: 4 }, "prompt"],
        [{ prompt: ["Once"], apply_chat_template: true }, "prompt"],
        [{ openai_route: { toString: 1 }, openai_input: { messages } }, "openai_route"],
        [{ route: 5 }, "route"],
      ];
      for (const [input, param] of wrong) {
        const { error } = await run(input);
        expect(error, JSON.stringify(input)).toMatchObject({ param, type: "invalid_request_error" });
        expect(error?.message).toContain(param);
      }
    });
  });

  it("harmless fields are taken, others are refused by name", async () => {
    await withTextWorker({}, async ({ run }) => {
      const harmless = {
        user: "u",
        metadata: { a: "b" },
        store: false,
        service_tier: "auto",
        logit_bias: null,
        best_of: 4,
      };
      expect((await run({ openai_input: { messages, ...short, ...harmless } })).status).toBe("COMPLETED");
      const wrong: [object, string][] = [
        [{ functions: [] }, "functions is not supported"],
        [{ suffix: "x" }, 'suffix is not supported but for ""'],
        [{ n: 1000 }, "n must be an integer from 1 to 128, got 1000"],
        [{ max_tokens: 0 }, "max_tokens must be"],
        [{ top_logprobs: 2 }, "top_logprobs must come with logprobs true"],
        [{ stream_options: { include_usage: true } }, "stream_options must come with stream true"],
        [{ tools: [{ type: "x" }] }, 'tools[0] must be of type "function"'],
        [
          { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
          'messages[0].content[0] is of type "image_url"',
        ],
      ];
      for (const [fields, sentence] of wrong) {
        const { error, status } = await run({ openai_input: { messages, ...fields } });
        expect(status).toBe("FAILED");
        expect(error?.message).toContain(sentence);
      }
    });
  });
});
