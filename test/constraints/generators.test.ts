// Schemas as generators write them: every type of zod, what pydantic makes of
// models, and the tools of servers of the Model Context Protocol. Each is accepted,
// and each text that is drawn under it is valid.
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Engine, Model } from "../../src/index.js";
import { loadEmbedded } from "../helpers/embedded.js";
import { validator } from "../helpers/valid-json.js";

const fixture = (name: string) => readFileSync(path.join(import.meta.dirname, "../fixtures", name), "utf8");

type Schema = Readonly<Record<string, unknown>>;

let model: Model;
let engine: Engine;
beforeAll(async () => {
  model = await loadEmbedded();
  engine = await model.createEngine({ slots: 16, contextLength: 1024, threads: 1 });
});
afterAll(async () => {
  await engine.close();
  await model.close();
});

/** Texts come to an end sooner where what closes their parts is likelier, and what repeats is not. */
function closing(): Record<string, number> {
  const ends = { '"': 14, "}": 14, "]": 14, "@": 12, Z: 12, ".": 10, b: 9, c: 9 };
  return Object.fromEntries(
    Object.entries(ends).map(([text, bias]) => [model.tokenize(text, { addSpecial: false })[0], bias]),
  );
}

async function isHeld(schema: Schema): Promise<void> {
  const isValid = validator(schema);
  const run = { prompt: "Once", temperature: 1.3, topP: 1, jsonSchema: schema, seed: 11 };
  const [short, free] = await Promise.all([
    engine.generate({ ...run, logitBias: closing(), frequencyPenalty: 0.2, maxTokens: 600 }),
    engine.generate({ ...run, n: 2, maxTokens: 100 }),
  ]);
  expect(short.finishReason, short.text).toBe("stop");
  const ended = [short, ...free.choices].filter(({ finishReason }) => finishReason === "stop");
  for (const { text } of ended) expect(isValid(text), text).toBe(true);
}

const Node = z.object({
  name: z.enum(["a", "b"]),
  get kids() {
    return z.array(Node).max(2);
  },
});
const Left = z.object({
  get right() {
    return Right.optional();
  },
});
const Right = z.object({
  left: z.boolean(),
  get more() {
    return z.array(Left).max(1);
  },
});

const shapes: Readonly<Record<string, z.ZodType>> = {
  object: z.object({ a: z.boolean(), b: z.boolean().optional(), c: z.boolean().default(true) }),
  strictObject: z.strictObject({ a: z.boolean().optional() }),
  looseObject: z.looseObject({ a: z.boolean() }),
  catchall: z.object({ a: z.boolean() }).catchall(z.null()),
  "a property that may not be": z.object({ a: z.never().optional(), b: z.null() }),
  array: z.array(z.boolean()).nonempty().max(3),
  tuple: z.tuple([z.boolean(), z.null()]),
  "tuple with a rest": z.tuple([z.boolean()], z.null()),
  union: z.union([z.boolean(), z.object({ a: z.null() })]),
  xor: z.xor([z.boolean(), z.null()]),
  discriminatedUnion: z.discriminatedUnion("k", [
    z.object({ k: z.literal("a"), x: z.boolean() }),
    z.object({ k: z.literal("b") }),
  ]),
  intersection: z.intersection(z.object({ a: z.boolean() }), z.object({ b: z.null() })),
  "intersection of unions": z.intersection(
    z.object({ a: z.boolean() }),
    z.union([z.object({ b: z.null() }), z.object({ c: z.null() })]),
  ),
  record: z.record(z.string(), z.boolean()),
  "record of an enum": z.record(z.enum(["a", "b"]), z.boolean()),
  "record of numbers": z.record(z.number(), z.boolean()),
  "record of a pattern": z.record(z.string().regex(/^k_[a-z]{2}$/), z.boolean()),
  partialRecord: z.partialRecord(z.enum(["a", "b"]), z.boolean()),
  looseRecord: z.looseRecord(z.string().regex(/^k_/), z.boolean()),
  enum: z.enum(["a", "b"]),
  nativeEnum: z.enum({ A: 1, B: "b" }),
  literal: z.literal(["a", 1, null, true]),
  nullable: z.boolean().nullable(),
  nullish: z.object({ a: z.boolean().nullish() }),
  readonly: z.array(z.null()).max(1).readonly(),
  lazy: z.lazy(() => z.boolean()),
  pipe: z.pipe(z.string(), z.string().min(3).max(5)),
  codec: z.codec(z.string(), z.int(), { decode: Number, encode: String }),
  promise: z.promise(z.boolean()),
  templateLiteral: z.templateLiteral(["v", z.int(), ".", z.enum(["x", "y"])]),
  keyof: z.object({ a: z.boolean(), b: z.boolean() }).keyof(),
  exactOptional: z.object({ a: z.exactOptional(z.boolean()) }),
  recursion: Node,
  "recursion in a part": z.object({ one: Node, two: Node.optional() }),
  "recursion of two": Right,
  length: z.string().length(5),
  "long texts": z.string().max(500_000),
  "checks of a string": z.string().startsWith("a").endsWith("b").includes("c").lowercase(),
  "pattern and length": z
    .string()
    .regex(/^[ab]+$/)
    .min(2)
    .max(4),
  "e-mail and length": z.email().max(60),
  positive: z.number().positive(),
  "number in a range": z.number().gt(-1.5).lte(2.25),
  "small number": z.number().min(0).max(1e-7),
  nonnegative: z.int().nonnegative().lt(12),
  multipleOf: z.int().multipleOf(7).min(-50).max(1000),
  step: z.number().multipleOf(0.01),
  "int64 bounds": z
    .int()
    .min(Number.MIN_SAFE_INTEGER)
    .max(2 ** 53),
  meta: z.boolean().meta({ title: "t", example: true, units: "none", "x-ui": { widget: "box" } }),
  success: z.success(z.string()),
  describe: z.boolean().describe("d").default(true),
};

/** zod's types that need no argument, by name. */
const simple = (
  "any unknown null boolean string number json stringbool int int32 uint32 float32 float64 email url httpUrl " +
  "uuid uuidv4 uuidv6 uuidv7 guid emoji nanoid cuid cuid2 ulid xid ksuid ipv4 ipv6 mac cidrv4 cidrv6 base64 " +
  "base64url e164 jwt hostname hex iban creditCard currencyCode file"
).split(" ");

describe("each type of zod", () => {
  it("is in this table, or cannot be a JSON schema", () => {
    const given = new Set([...simple, ...Object.keys(shapes).map((name) => name.split(" ")[0])]);
    const missing = Object.entries(z).filter(([name, make]) => {
      if (given.has(name) || !/^[a-z]/.test(name) || /parse|encode|decode|validate/i.test(name)) return false;
      try {
        const made = (make as () => z.ZodType)();
        return "_zod" in made && z.toJSONSchema(made) !== undefined;
      } catch {
        return false;
      }
    });
    expect(missing.map(([name]) => name)).toEqual(["never"]);
  });

  it.concurrent.each(simple)("%s", async (name) => {
    const make = (z as unknown as Record<string, () => z.ZodType>)[name];
    await isHeld(z.toJSONSchema(make?.() ?? z.never()));
  });

  it.concurrent.each(["date", "time", "datetime", "duration"] as const)("iso.%s", (name) =>
    isHeld(z.toJSONSchema(z.iso[name]())),
  );

  it.concurrent.each(Object.keys(shapes))("%s", (name) => isHeld(z.toJSONSchema(shapes[name] ?? z.never())));
});

describe("pydantic's schema of", () => {
  const { schemas } = JSON.parse(fixture("pydantic/schemas.json")) as { schemas: Record<string, Schema> };
  it.concurrent.each(Object.keys(schemas))("%s", (name) => isHeld(schemas[name] ?? {}));
});

describe("the tool", () => {
  interface Server {
    readonly package: string;
    readonly tools: readonly { readonly name: string; readonly inputSchema: Schema }[];
  }
  const servers = JSON.parse(fixture("mcp/tools.json")) as Server[];
  const tools = servers.flatMap(({ package: from, tools: list }) =>
    list.map(({ name, inputSchema }) => [`${name} of ${from}`, inputSchema] as const),
  );
  it.concurrent.each(tools)("%s", (_, schema) => isHeld(schema));
});
