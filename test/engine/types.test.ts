// What the compiler says of requests and results; `npm run typecheck` runs these, vitest
// only loads them.
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import * as v from "valibot";
import { expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import type {
  Engine,
  GenerateOptions,
  GenerateRequest,
  GenerateResult,
  Generation,
  Model,
  ObjectResult,
} from "../../src/index.js";

const prompt = "Once";
const messages = [{ role: "user", content: "Hello" }];
const tools = [{ name: "clock" }];

async function objects(engine: Engine) {
  const Person = z.object({ name: z.string(), born: z.iso.date().transform((text) => new Date(text)) });
  type Person = { name: string; born: Date };

  const { object, choices, text } = await engine.generate({ prompt, jsonSchema: Person });
  expectTypeOf(object).toEqualTypeOf<Person>();
  expectTypeOf(choices[0]?.object).toEqualTypeOf<Person | undefined>();
  expectTypeOf(text).toEqualTypeOf<string>();

  const chat = engine.generate({ messages, jsonSchema: Person, n: 2 });
  expectTypeOf(chat).toEqualTypeOf<Generation<ObjectResult<Person>>>();
  expectTypeOf(engine.fork(chat)).toEqualTypeOf<Generation<ObjectResult<Person>>>();
  expectTypeOf(await chat.finally()).toEqualTypeOf<ObjectResult<Person>>();
  expectTypeOf(await chat.then((result) => result.object.born)).toEqualTypeOf<Date>();

  const valibot = toStandardJsonSchema(v.object({ mood: v.optional(v.picklist(["happy", "sad"]), "sad") }));
  expectTypeOf((await engine.generate({ prompt, jsonSchema: valibot })).object).toEqualTypeOf<{
    mood: "happy" | "sad";
  }>();
  const arktype = type({ name: "string", "age?": "number" });
  expectTypeOf((await engine.generate({ prompt, jsonSchema: arktype })).object).toEqualTypeOf<{
    name: string;
    age?: number;
  }>();
  expectTypeOf((await engine.generate({ prompt, jsonSchema: z.enum(["a", "b"]) })).object).toEqualTypeOf<
    "a" | "b"
  >();

  const plain = await engine.generate({ prompt, jsonSchema: { type: "object", properties: {} } });
  expectTypeOf(plain.object).toEqualTypeOf<unknown>();
  const written = await engine.generate({ prompt, jsonSchema: z.toJSONSchema(Person) });
  expectTypeOf(written.object).toEqualTypeOf<unknown>();
  const record: Record<string, unknown> = {};
  expectTypeOf((await engine.generate({ prompt, jsonSchema: record })).object).toEqualTypeOf<unknown>();

  const without = await engine.generate({ prompt, maxTokens: 3 });
  expectTypeOf(without).toEqualTypeOf<GenerateResult>();
  // @ts-expect-error: there is no schema
  without.object;
  expectTypeOf(await engine.generate({ prompt, jsonSchema: undefined })).toEqualTypeOf<GenerateResult>();

  const shared = { temperature: 0, jsonSchema: Person };
  expectTypeOf((await engine.generate({ prompt, ...shared })).object).toEqualTypeOf<Person>();
  const perhaps = Math.random() > 2 ? Person : undefined;
  expectTypeOf((await engine.generate({ prompt, jsonSchema: perhaps })).object).toEqualTypeOf<Person>();

  // @ts-expect-error: to be wrapped by toStandardJsonSchema()
  engine.generate({ prompt, jsonSchema: v.object({}) });
  // @ts-expect-error: no schema
  engine.generate({ prompt, jsonSchema: "{}" });
}

async function requests(engine: Engine) {
  // @ts-expect-error: both
  engine.generate({ prompt, messages });
  // @ts-expect-error: neither
  engine.generate({ temperature: 0 });
  // @ts-expect-error: of conversations only
  engine.generate({ prompt, tools });
  // @ts-expect-error: of conversations only
  engine.generate({ prompt, chatVariables: { enable_thinking: false } });
  // @ts-expect-error: of prompts only
  engine.generate({ messages, addSpecial: false });
  // @ts-expect-error: unknown
  engine.generate({ prompt, max_tokens: 3 });
  // @ts-expect-error: both
  engine.saveState("file", { prompt, messages });

  engine.generate({ messages, tools, toolChoice: "auto", parallelToolCalls: true });
  engine.saveState("file", { messages });
  engine.saveState("file", { prompt, jsonSchema: z.string() });

  const request: GenerateRequest = { prompt, maxTokens: 3 };
  const { object } = (await engine.generate(request)) as ObjectResult;
  expectTypeOf(object).toEqualTypeOf<unknown>();
  engine.generate({ ...request, temperature: 0, seed: "18446744073709551615" });
  const conversation: GenerateRequest = { messages, tools, jsonSchema: { type: "object" } };
  engine.generate({ ...conversation, maxTokens: 3 });
  const typed: GenerateRequest = { prompt, jsonSchema: z.object({}) };
  engine.generate(typed);
  const defaults: GenerateOptions = { temperature: 0, stop: ["\n"] };
  engine.generate({ ...defaults, prompt });
  engine.generate({ ...defaults, messages });
  const either = (text: string | undefined): GenerateRequest =>
    text === undefined ? { messages } : { prompt: text };
  engine.generate(either("a"));
  // @ts-expect-error: both, by a spread
  engine.generate({ ...request, messages });
  const mutable: { prompt: string; stop: string[] } = { prompt, stop: [] };
  engine.generate(mutable);

  const generation = engine.generate({ prompt, seed: 2n ** 63n });
  expectTypeOf(generation.seed).toEqualTypeOf<number | string>();
  engine.generate({ prompt, seed: generation.seed });
}

async function streams(engine: Engine, model: Model) {
  const generation = engine.generate({ prompt });
  for await (const text of generation.textStream) expectTypeOf(text).toEqualTypeOf<string>();
  for await (const bytes of generation.toReadableStream()) expectTypeOf(bytes).toEqualTypeOf<Uint8Array>();
  new Response(generation.toReadableStream());
  expectTypeOf(generation.textStream.getReader().read()).resolves.toMatchTypeOf<{ done: boolean }>();
  await using owned = engine.generate({ messages });
  expectTypeOf((await owned).text).toEqualTypeOf<string>();
  const { embeddings } = await engine.embed("a");
  expectTypeOf(embeddings[0]).toExtend<Float32Array | undefined>();
  expectTypeOf(model.metadata.a).toExtend<string | number | boolean | object | undefined>();
}

it("the compiler checks the functions of this file", () => {
  expect([objects, requests, streams].every((each) => typeof each === "function")).toBe(true);
});
