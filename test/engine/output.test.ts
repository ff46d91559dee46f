// Answers as objects: schemas of other libraries, as their documents write them, through
// the public door. The library itself says what each answer must become.
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import type { Engine, Model, OutputSchema } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { eventsOf, loadEmbedded, prompt } from "../helpers/embedded.js";

let model: Model;
let engine: Engine;
beforeAll(async () => {
  model = await loadEmbedded();
  engine = await model.createEngine({ slots: 8, threads: 1, contextLength: 512 });
});
afterAll(async () => {
  await engine.close();
  await model.close();
});

const zodSchemas: Readonly<Record<string, OutputSchema>> = {
  "an object": z.object({ username: z.string().max(12), xp: z.number() }),
  "nested objects": z.object({ name: z.string().max(8), address: z.object({ zip: z.string().length(5) }) }),
  "a strict object": z.strictObject({ name: z.string().max(8) }),
  "optional and nullable": z.object({ a: z.optional(z.boolean()), b: z.nullable(z.int().max(9).min(0)) }),
  "a default": z.object({
    name: z.string().max(5).default("Mia"),
    tags: z.array(z.string().max(3)).max(2).default([]),
  }),
  "a default in the middle": z.object({
    a: z.literal("x"),
    b: z.enum(["one", "two"]).default("one"),
    c: z.null(),
  }),
  "a catch": z.object({ age: z.int().min(0).max(120).catch(42) }),
  "an enum": z.enum(["Salmon", "Tuna", "Trout"]),
  literals: z.literal(["red", "green", "blue"]),
  "a union": z.union([z.string().max(6), z.int().min(0).max(99)]),
  "a discriminated union": z.discriminatedUnion("status", [
    z.object({ status: z.literal("success"), data: z.string().max(6) }),
    z.object({ status: z.literal("failed"), error: z.string().max(6) }),
  ]),
  "an array": z.array(z.string().max(5)).min(1).max(4),
  "a tuple": z.tuple([z.string().max(3), z.int().min(0).max(9), z.boolean()]),
  "a record of an enum": z.record(z.enum(["id", "name"]), z.string().max(5)),
  "a date as text": z.object({ day: z.iso.date() }),
  "a moment as text": z.object({ at: z.iso.datetime({ precision: 3 }) }),
  "an email": z.object({ email: z.email().max(20) }),
  "a uuid": z.uuid(),
  "an IPv4 address": z.ipv4(),
  "a pattern": z.string().regex(/^[a-z]{2,4}-\d{2}$/),
  "text that starts and ends": z.string().startsWith("ab").max(6),
  "a transformation": z.object({
    length: z
      .string()
      .max(6)
      .transform((text) => text.length),
  }),
  "a pipe to a number": z
    .string()
    .regex(/^\d{1,3}$/)
    .transform(Number)
    .pipe(z.number()),
  "a trimmed text": z.object({ name: z.string().max(8).trim().toLowerCase() }),
  "a date made of text": z.object({ day: z.iso.date().transform((text) => new Date(text)) }),
  "a brand": z.object({ name: z.string().max(5).brand<"Cat">() }),
  "a codec's text": z.object({
    number: z.codec(z.string().regex(/^\d{1,4}$/), z.int(), { decode: Number, encode: String }),
  }),
  "a recursive type": z.object({
    name: z.string().max(3),
    get child() {
      return z.object({ name: z.string().max(3) }).nullable();
    },
  }),
  "an intersection": z.intersection(z.object({ a: z.int().min(0).max(9) }), z.object({ b: z.boolean() })),
  "an extended and picked object": z
    .object({ a: z.boolean(), b: z.boolean() })
    .extend({ c: z.null() })
    .pick({ a: true, c: true }),
  "a partial object": z.object({ a: z.boolean(), b: z.boolean() }).partial(),
  "described fields": z.object({
    mood: z.enum(["happy", "sad"]).describe("How it feels").meta({ title: "Mood" }),
  }),
  "a refinement that holds": z.object({ a: z.int().min(0).max(9) }).refine(({ a }) => a >= 0),
  "an asynchronous refinement": z.object({ a: z.int().min(0).max(9) }).refine(async ({ a }) => a >= 0),
  "a refinement that seldom holds": z
    .int()
    .min(0)
    .max(9)
    .refine((digit) => digit % 2 === 0, "must be even"),
  multiples: z.number().multipleOf(5).min(0).max(100),
  "JSON of any shape, small": z.object({ any: z.union([z.boolean(), z.null(), z.int().min(0).max(9)]) }),
};

const valibotSchemas: Readonly<Record<string, OutputSchema>> = {
  "a login": toStandardJsonSchema(
    v.object({
      username: v.pipe(v.string(), v.maxLength(12)),
      password: v.pipe(v.string(), v.minLength(8), v.maxLength(12)),
    }),
  ),
  "a pipe with a transformation": toStandardJsonSchema(
    v.object({
      name: v.pipe(
        v.string(),
        v.maxLength(8),
        v.transform((text) => text.length),
      ),
    }),
  ),
  "an optional with a default": toStandardJsonSchema(
    v.object({ mood: v.optional(v.picklist(["happy", "sad"]), "happy") }),
  ),
  "a variant": toStandardJsonSchema(
    v.variant("type", [
      v.object({ type: v.literal("email"), at: v.boolean() }),
      v.object({ type: v.literal("url"), secure: v.boolean() }),
    ]),
  ),
  "a tuple": toStandardJsonSchema(v.strictTuple([v.boolean(), v.null()])),
  "an array": toStandardJsonSchema(v.pipe(v.array(v.picklist(["a", "b"])), v.maxLength(3))),
  "an integer": toStandardJsonSchema(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10))),
  "a check": toStandardJsonSchema(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(0),
      v.maxValue(9),
      v.check((digit) => digit % 2 === 0, "must be even"),
    ),
  ),
};

const short = v.pipe(v.string(), v.maxLength(8));

/** Steps of a pipe for which JSON schema has no word, or one that grammars have not. */
const valibotSteps: Readonly<Record<string, OutputSchema>> = {
  trim: toStandardJsonSchema(v.pipe(short, v.trim(), v.toLowerCase())),
  brand: toStandardJsonSchema(v.pipe(short, v.brand("Name"), v.readonly())),
  excludes: toStandardJsonSchema(v.pipe(short, v.excludes("§"), v.notLength(7))),
  words: toStandardJsonSchema(v.pipe(short, v.minWords("en", 1), v.maxBytes(16), v.minGraphemes(1))),
  digits: toStandardJsonSchema(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(9), v.finite(), v.notValue(3)),
  ),
  items: toStandardJsonSchema(
    v.pipe(
      v.array(v.picklist([1, 2, 3])),
      v.maxLength(3),
      v.everyItem((item) => item > 0),
      v.filterItems((item) => item > 1),
      v.sortItems(),
    ),
  ),
};

const arktypeSchemas: Readonly<Record<string, OutputSchema>> = {
  "a user": type({
    name: "string <= 8",
    device: { platform: "'android' | 'ios'", "version?": "0 <= number.integer <= 9" },
  }),
  "a union": type("'one' | 'two' | boolean"),
  "an array": type("(0 <= number.integer <= 9)[] <= 3"),
  "a tuple": type(["boolean", "'x'"]),
  "bounded text": type("2 <= string <= 5"),
  "a pattern": type({ id: /^[a-f]{2}\d$/ }),
  "a default": type({ open: "boolean = false" }),
  "what is no JSON beside what is": type({ a: "'x' | undefined", "b?": "Date", c: "(bigint | 'q')[] <= 2" }),
};

const libraries = {
  zod: zodSchemas,
  valibot: { ...valibotSchemas, ...valibotSteps },
  arktype: arktypeSchemas,
};
const rows = Object.entries(libraries).flatMap(([library, schemas]) =>
  Object.entries(schemas).map(([name, schema]) => [library, name, schema] as const),
);

describe("the object of an answer", () => {
  it.each(rows)(
    "%s: %s is what the library makes of the text, or says why it is none",
    async (_library, _name, jsonSchema) => {
      const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
      const runs = seeds.map((seed) =>
        engine.generate({ prompt, jsonSchema, seed, temperature: 1, maxTokens: 200 }),
      );
      let valid = 0;
      for (const ended of await Promise.allSettled(runs)) {
        if (ended.status === "fulfilled") {
          valid += 1;
          const { text, object, choices, finishReason } = ended.value;
          const verdict = await jsonSchema["~standard"].validate(JSON.parse(text));
          expect(verdict).toEqual({ ...verdict, value: object });
          expect(choices.map((choice) => choice.object)).toEqual([object]);
          expect(finishReason).toBe("stop");
        } else {
          const { code, text } = ended.reason;
          expect(code).toBe("OUTPUT_INVALID");
          expect(await isRefused(jsonSchema, text)).toBe(true);
        }
      }
      expect(valid).toBeGreaterThan(0);
    },
  );
});

/** Whether a text is no JSON, or JSON that the library refuses. */
async function isRefused(schema: OutputSchema, text: string): Promise<boolean> {
  try {
    const verdict = await schema["~standard"].validate(JSON.parse(text));
    return verdict.issues !== undefined;
  } catch {
    return true;
  }
}

/** A schema of a library that nobody has checked, for the text "x". */
function standard(validate: (value: unknown) => unknown): OutputSchema {
  const jsonSchema = { input: () => ({ const: "x" }) };
  return { "~standard": { version: 1, vendor: "another", validate, jsonSchema } } as OutputSchema;
}

describe("no valid object", () => {
  const long = z.object({ story: z.string().min(400) });

  it("of an answer that was cut says what to raise, and carries the text", async () => {
    const run = engine.generate({ prompt, jsonSchema: long, maxTokens: 12 });
    const error = await caught(() => run);
    expect(error).toMatchObject({ code: "OUTPUT_INVALID", status: 500, retryable: true });
    expect(error.message).toMatch(/^generate\(\): the answer was cut after 12 tokens, .*; raise maxTokens/);
    const events = await eventsOf(run);
    expect(error.text).toBe(events.map((event) => (event.type === "text-delta" ? event.text : "")).join(""));
    expect(error.text).toMatch(/^\{/);
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ code: "OUTPUT_INVALID", text: error.text });
    expect(events.at(-1)).toMatchObject({ type: "end", finishReason: "length" });
  });

  it("of an answer that a refinement refuses says what the schema says", async () => {
    const jsonSchema = z
      .object({ n: z.literal(7) })
      .refine(() => false, { error: "is never right", path: ["n"] });
    const error = await caught(() => engine.generate({ prompt, jsonSchema, maxTokens: 60 }));
    expect(error.message).toContain("the schema refuses the answer (n: is never right); generate again");
    expect(JSON.parse(error.text ?? "")).toEqual({ n: 7 });
    expect(error.cause).toMatchObject([{ message: "is never right", path: ["n"] }]);
  });

  it("of a schema that throws has its exception as the cause", async () => {
    const thrown = new TypeError("boom");
    const jsonSchema = z.literal("x").transform(() => {
      throw thrown;
    });
    const error = await caught(() => engine.generate({ prompt, jsonSchema }));
    expect(error).toMatchObject({ code: "OUTPUT_INVALID", cause: thrown, text: '"x"' });
  });

  it.each([
    ["no verdict", undefined],
    ["no issue among the issues", { issues: [null] }],
    ["a message that is no text", { issues: [{ message: Symbol("m") }] }],
  ])("of a schema whose verdict cannot be read is the same: %s", async (_, verdict) => {
    const jsonSchema = standard(() => verdict);
    const error = await caught(() => engine.generate({ prompt, jsonSchema }));
    expect(error).toMatchObject({ code: "OUTPUT_INVALID", text: '"x"' });
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  it("names no place in the answer where arktype is of the whole", async () => {
    const jsonSchema = type("string <= 8").narrow((_, context) => context.mustBe("a poem"));
    const error = await caught(() => engine.generate({ prompt, jsonSchema, maxTokens: 60 }));
    expect(error.message).toContain("the schema refuses the answer (the whole: must be a poem");
  });

  it("is not what issues of null tell", async () => {
    const jsonSchema = standard((value) => ({ value, issues: null }));
    expect((await engine.generate({ prompt, jsonSchema })).object).toBe("x");
  });

  it("of a cancelled generation; an aborted signal stays CANCELLED", async () => {
    const run = engine.generate({ prompt, jsonSchema: long });
    for await (const _ of run) break;
    expect((await caught(() => run)).message).toContain("cancelled before its JSON was complete");
    const reason = new Error("left");
    const aborted = engine.generate({ prompt, jsonSchema: long, signal: AbortSignal.abort(reason) });
    expect(await caught(() => aborted)).toMatchObject({ code: "CANCELLED", cause: reason });
  });

  it("of one of several choices names it", async () => {
    let calls = 0;
    const jsonSchema = z.literal("x").refine(() => ++calls !== 2, "not the second");
    const error = await caught(() => engine.generate({ prompt, jsonSchema, n: 3 }));
    expect(error.message).toContain("choices[1]: the schema refuses the answer (the whole: not the second)");
  });

  it("does not trouble the streams of text", async () => {
    const jsonSchema = z.literal("x").refine(() => false);
    let text = "";
    for await (const part of engine.generate({ prompt, jsonSchema }).textStream) text += part;
    expect(text).toBe('"x"');
  });
});

describe("with a plain JSON schema", () => {
  const jsonSchema = { type: "object", properties: { a: { enum: [1, 2] } }, required: ["a"] };

  it("the object is the parsed JSON, of each choice", async () => {
    const { object, text, choices } = await engine.generate({ prompt, jsonSchema, n: 2 });
    expect(object).toEqual(JSON.parse(text));
    expect(choices.map((choice) => choice.object)).toEqual(choices.map((choice) => JSON.parse(choice.text)));
  });

  it("an answer that was cut resolves, without an object", async () => {
    const result = await engine.generate({
      prompt,
      jsonSchema: { type: "string", minLength: 99 },
      maxTokens: 5,
    });
    expect(result).toMatchObject({ finishReason: "length", object: undefined });
    const digits = { type: "string", pattern: "^1{50}$" };
    expect((await engine.generate({ prompt, jsonSchema: digits, maxTokens: 5 })).object).toBeUndefined();
    const number = { type: "integer", minimum: 10 ** 14, maximum: 10 ** 15 };
    const cut = await engine.generate({ prompt, jsonSchema: number, maxTokens: 1 });
    expect(cut).toMatchObject({ finishReason: "length", object: undefined });
  });

  it("that zod wrote is one too", async () => {
    const written = z.toJSONSchema(z.object({ a: z.literal(7) }).refine(() => false));
    expect((await engine.generate({ prompt, jsonSchema: written })).object).toEqual({ a: 7 });
  });

  it("of zod/mini is what the refusal of its schema says", async () => {
    const jsonSchema = mini.toJSONSchema(mini.object({ a: mini.literal(7) }));
    expect((await engine.generate({ prompt, jsonSchema })).object).toEqual({ a: 7 });
  });

  it("without one there is no object", async () => {
    const result = await engine.generate({ prompt, maxTokens: 2 });
    expect(Object.keys(result)).not.toContain("object");
    expect(Object.keys(result.choices[0] ?? {})).not.toContain("object");
  });
});

it("of a fork and of a conversation is judged too", async () => {
  // Long enough to be running still when the engine hears of the fork.
  const jsonSchema = z
    .string()
    .length(600)
    .transform((text) => text.length);
  const run = engine.generate({ prompt, jsonSchema });
  const fork = engine.fork(run);
  expect((await run).object).toBe(600);
  expect((await fork).object).toBe(600);
  const chatting = await model.createEngine({ slots: 1, threads: 1 });
  const messages = [{ role: "user", content: "Hello" }];
  expect((await chatting.generate({ messages, jsonSchema })).object).toBe(600);
  await chatting.close();
});

describe("a schema that cannot be written", () => {
  it.each([
    [
      "valibot without its converter",
      v.object({ a: v.string() }),
      /jsonSchema must be a schema that can be written as JSON schema: .*toStandardJsonSchema\(schema\) of @valibot\/to-json-schema, got an object$/,
    ],
    [
      "zod/mini, which cannot write them by itself",
      mini.object({ a: mini.string() }),
      /of zod\/mini: z\.toJSONSchema\(schema\)/,
    ],
    [
      "a Date of zod",
      z.object({ a: z.date() }),
      /jsonSchema must be a schema that JSON schema can say \((?:\w+|its root): JSON has no Date/,
    ],
    ["a Date of arktype", type({ a: "Date" }), /jsonSchema allows no value/],
    ["a bigint of zod", z.bigint(), /a schema that JSON schema can say \(its root: JSON has no bigint/],
    [
      "a map of valibot",
      toStandardJsonSchema(v.map(v.string(), v.string())),
      /a schema that JSON schema can say \(/,
    ],
  ])("is refused: %s", async (_name, jsonSchema, sentence) => {
    const error = await caught(() => engine.generate({ prompt, jsonSchema } as never));
    expect(error).toMatchObject({ code: "INVALID_OPTION", path: ["jsonSchema"] });
    expect(error.message).toMatch(sentence);
  });
});
