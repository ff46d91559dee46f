// JSON schemas: what cannot be honoured is refused by name, what says nothing is
// ignored, and what is written under the rest is valid, judged by ajv on texts drawn
// at random.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schemaGrammar } from "../../src/constraints/schema.js";
import type { Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";
import { validator } from "../helpers/valid-json.js";

const object = (properties: object, rest: object = {}) => ({ type: "object", properties, ...rest });

describe("a JSON schema", () => {
  it.each<[object, string]>([
    [{ type: "number", multipleOf: 0.3 }, "cannot use multipleOf 0.3"],
    [{ type: "integer", multipleOf: 5000 }, "cannot use multipleOf 5000"],
    [{ type: "integer", minimum: 5, exclusiveMaximum: 5 }, "allows no value"],
    [{ type: "integer", minimum: "5" }, 'must have a number in minimum, got "5"'],
    [{ type: "number", minimum: 1, maximum: -1 }, "allows no value"],
    [{ type: "string", pattern: "^a$", minLength: 3 }, "allows no value"],
    [{ type: "string", pattern: "(?<=a)" }, "pattern looks behind"],
    [{ type: "string", pattern: "(a)\\1" }, "pattern refers back"],
    [{ type: "string", pattern: 7 }, "must have a pattern that is a string"],
    [{ type: "string", minLength: 5000 }, "minLength of at most 2000"],
    [{ type: "string", minLength: 3, maxLength: 2 }, "minLength at most maxLength"],
    [{ type: "string", minLength: -1 }, "must have minLength that is 0 or more"],
    [{ type: "array", uniqueItems: true }, 'cannot honour "uniqueItems"'],
    [{ type: "array", contains: { type: "null" } }, 'cannot use "contains"'],
    [{ type: "array", prefixItems: [{ type: "null" }], minItems: 2 }, "allows no value"],
    [{ type: "array", minItems: 5000 }, "minItems of at most 2000"],
    [object({ a: {} }, { required: ["b"], additionalProperties: false }), "allows no value"],
    [object({ a: {} }, { required: "a" }), "must have names in required"],
    [object({ a: {} }, { patternProperties: { "(": {} } }), "(at #/patternProperties): pattern"],
    [object({ a: { type: "array", items: { not: { const: 1 } } } }), "(at #/properties/a/items)"],
    [object({}, { additionalProperties: {}, minProperties: 3 }), "cannot honour minProperties"],
    [object({ a: {}, b: {} }, { maxProperties: 1 }), "cannot honour maxProperties"],
    [object({ a: {} }, { dependentRequired: { a: ["b"] } }), 'cannot use "dependentRequired"'],
    [{ $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } }, "a reference that leads to itself"],
    [{ $ref: "#/__proto__" }, "where there is no schema"],
    [{ $ref: "https://example.com/a.json" }, "must refer to parts of itself"],
    [{ $dynamicRef: "#a" }, 'cannot use "$dynamicRef"'],
    [{ allOf: [object({ a: { const: 1 } }), object({ a: { const: 2 } }, { required: ["a"] })] }, "no value"],
    [{ enum: [1], type: "string" }, "allows no value"],
    [{ enum: [] }, "must have values in enum"],
    [{ if: {}, else: { type: "null" } }, 'cannot use "if"'],
    [{ type: "strange" }, "a type out of object, array"],
    [{ anyOf: [] }, "must have schemas"],
    [{ anyOf: {} }, "must have a list of schemas in anyOf"],
    [object({ a: "b" }), 'must have a schema here, got "b"'],
    [object({ a: false }, { required: ["a"] }), "allows no value"],
    [{ not: {} }, "allows no value"],
    [{ allOf: Array.from({ length: 300 }, () => ({ minLength: 1 })) }, "more than 200 schemas"],
  ])("%j is refused by name", async (schema, reason) => {
    const error = await caught(() => schemaGrammar(schema as Record<string, unknown>));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain(reason);
  });

  it.each<[object, object]>([
    [{ type: "string", discriminator: {}, example: 1, nullable: true }, { type: "string" }],
    [{ type: ["string", "null"], maximum: 3, uniqueItems: true, "x-order": 1 }, { type: ["string", "null"] }],
    [{ type: "string", format: "color", contentEncoding: "base64" }, { type: "string" }],
    [
      { type: "string", pattern: "^a$", format: "email" },
      { type: "string", pattern: "^a$" },
    ],
    [{ type: "array", uniqueItems: false, additionalItems: true }, { type: "array" }],
    [object({ a: true }, { dependentRequired: {}, if: {} }), object({ a: {} })],
    [{ type: "object", propertyNames: { type: "string" }, minProperties: 0 }, { type: "object" }],
    [{ type: "string", maxLength: 1e6 }, { type: "string" }],
    [
      { type: "integer", maximum: 10, exclusiveMaximum: true },
      { type: "integer", exclusiveMaximum: 10 },
    ],
    [
      { type: "number", minimum: -1e300, maximum: 1e300 },
      { type: "number", minimum: -1e200, maximum: 1e200 },
    ],
    [{ allOf: [{ $ref: "#/$defs/a" }], $defs: { a: { type: "null" } }, description: "d" }, { type: "null" }],
    [{ $ref: "#/$defs/a~1b%25", $defs: { "a/b%": { type: "null" } } }, { type: "null" }],
    [{ $id: "https://example.com/s", $ref: "https://example.com/s#/$defs/a", $defs: { a: {} } }, {}],
  ])("%j says as much as %j", (schema, shorter) => {
    const grammar = (each: object) => schemaGrammar(each as Record<string, unknown>);
    expect(grammar(schema)).toBe(grammar(shorter));
  });

  it("is converted in a moment, however long its chain of references", () => {
    const $defs: Record<string, object> = {};
    for (let i = 0; i < 8000; i += 1) $defs[`d${i}`] = { $ref: `#/$defs/d${i + 1}` };
    const grammar = schemaGrammar({ $ref: "#/$defs/d0", $defs: { ...$defs, d8000: { type: "null" } } });
    expect(grammar).toContain('::= "null"');
  });

  it("with patterns that multiply is refused after a bounded number of steps", async () => {
    const pattern = "^(?=.*a.{300})(?=.*b.{300})(?=.*c.{300}).*$";
    const properties = Object.fromEntries(
      Array.from({ length: 50 }, (_, index) => [
        `p${index}`,
        { type: "string", pattern: `${pattern}|${index}` },
      ]),
    );
    const error = await caught(() => schemaGrammar({ type: "object", properties }));
    expect(error.message).toContain("makes too large a grammar");
  });
});

describe("what is written under a JSON schema", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadEmbedded();
  });
  afterAll(() => model.close());

  const schemas: readonly object[] = [
    { type: "integer", minimum: -120, maximum: 37 },
    { type: "integer", exclusiveMinimum: 99, exclusiveMaximum: 1001 },
    { type: "integer", minimum: 17 },
    { type: "integer", maximum: -17 },
    { type: "integer", minimum: 1.5, exclusiveMaximum: 3.5 },
    { type: "integer", minimum: -(2 ** 63), maximum: 2 ** 63 },
    { type: "integer", minimum: 9007199254740990, maximum: 2 ** 64 },
    { minimum: -0.5, maximum: 0.5 },
    { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 0.001 },
    { type: "number", minimum: -1.25, exclusiveMaximum: -1.2 },
    { type: "number", minimum: 1e20 },
    { type: "number", maximum: 0, multipleOf: 0.1 },
    { type: "integer", multipleOf: 60, minimum: 1000 },
    { type: ["integer", "string"], minimum: 3, maximum: 4, maxLength: 2 },
    { type: ["number", "null", "boolean"] },
    { type: "string", minLength: 2, maxLength: 5 },
    { type: "string", pattern: "^.{3,8}$" },
    { type: "string", pattern: "^\\d{4}-\\d\\d$|^\\w{1,5}@\\w{1,5}\\.org$" },
    { type: "string", pattern: '^["\\\\]{2}[^a-z]{1,3}$' },
    { type: "string", pattern: "[aeiou]" },
    { type: "string", pattern: "^[\\n\\t\\x00-\\x05]{3}é?$" },
    { type: "array", items: { type: "boolean" }, minItems: 2, maxItems: 3 },
    { type: "array", prefixItems: [{ const: 1 }, { type: "null" }], items: false, minItems: 2 },
    { type: "array", items: true, maxItems: 2 },
    { type: "string", enum: ["aa", "b", 1], maxLength: 1 },
    { enum: [1, 2.5, 7], minimum: 2, maximum: 5 },
    { type: "string", const: "a", minLength: 1 },
    { type: "string", allOf: [{ pattern: "^a" }, { pattern: "b$" }], minLength: 3, maxLength: 5 },
    { type: "string", pattern: "^(?!ab)[abc]{3}$" },
    { type: "string", pattern: "^\\p{Lu}\\p{Ll}{2,4}$" },
    { type: "array", items: { enum: ["a", "b", "c"] }, uniqueItems: true, minItems: 1 },
    {
      $schema: "http://json-schema.org/draft-07/schema#",
      items: [{ const: 1 }, { const: 2 }],
      additionalItems: { type: "null" },
      maxItems: 4,
    },
    { type: "array", prefixItems: [{ const: 1 }, { const: 2 }], items: { type: "null" }, minItems: 1 },
    { type: "array", items: false },
    object(
      { a: { const: 1 } },
      { minProperties: 1, additionalProperties: { type: "null" }, maxProperties: 2 },
    ),
    object({ a: true }, { required: ["a", "b"], additionalProperties: { type: "null" } }),
    { type: "object", patternProperties: { "^a": { type: "null" }, b$: { const: 1 } }, maxProperties: 3 },
    object({ ab: {} }, { patternProperties: { "^a": { type: "boolean" } }, required: ["ab"] }),
    {
      type: "object",
      propertyNames: { pattern: "^[xy]$" },
      additionalProperties: { const: 0 },
      minProperties: 1,
    },
    object({ a: { const: 1 }, b: { const: 2 } }, { anyOf: [{ required: ["a"] }, { required: ["b"] }] }),
    { $ref: "#/$defs/a", minLength: 2, $defs: { a: { type: "string", pattern: "^[ab]*$", maxLength: 4 } } },
    { enum: ['a"b\\c\n', 1.5, null, { deep: [true] }] },
    object({ a: { type: "integer", minimum: 0, maximum: 9 }, b: { type: "null" } }, { required: ["b"] }),
    object({ 'k-1 "x"': { const: 1 } }, { required: ['k-1 "x"'], additionalProperties: { type: "null" } }),
    { type: "object", additionalProperties: { type: "integer", minimum: 0, maximum: 9 } },
    {
      allOf: [object({ a: { const: 1 } }, { required: ["a"] }), { $ref: "#/$defs/b" }],
      $defs: { b: object({ b: { const: 2 } }) },
    },
    { allOf: [{ type: "string", maxLength: 3 }] },
    { oneOf: [object({ kind: { const: "x" } }, { required: ["kind"] }), { type: "null" }] },
    {
      $ref: "#/$defs/tree",
      $defs: { tree: { type: "array", items: { $ref: "#/$defs/tree" }, maxItems: 2 } },
    },
  ];

  it.each(schemas)("%j is valid", async (jsonSchema) => {
    await withEngine(model, { slots: 8, contextLength: 256 }, async (engine) => {
      const isValid = validator(jsonSchema);
      const run = { prompt: "Once", temperature: 1.5, topP: 1, maxTokens: 200, n: 16, seed: 7 };
      const { choices } = await engine.generate({
        ...run,
        jsonSchema: jsonSchema as Record<string, unknown>,
      });
      const ended = choices.filter(({ finishReason }) => finishReason === "stop");
      expect(ended.length).toBeGreaterThan(0);
      for (const { text } of ended) expect(isValid(text), text).toBe(true);
    });
  });
});

describe("a schema whose grammar would be large", () => {
  const tuple = (length: number) => ({ type: "array", prefixItems: Array(length).fill({ type: "null" }) });

  it("may be a tuple of hundreds of items that may be left out", async () => {
    await withEngine(await loadEmbedded(), { slots: 1, contextLength: 512 }, async (engine) => {
      const { text } = await engine.generate({ prompt: "A", jsonSchema: tuple(700), maxTokens: 40 });
      expect(text.startsWith("[")).toBe(true);
    });
  });

  const texts = (count: number, of: (index: number) => object) =>
    object(Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, of(index)])));
  const long = "x".repeat(20_000);
  it.each<[string, object, string]>([
    ["least lengths", texts(150, (index) => ({ type: "string", minLength: 1800 + index })), "#/properties;"],
    ["least items", texts(150, (index) => ({ type: "array", minItems: 1800 + index })), "#/properties;"],
    [
      "texts in an enum",
      texts(1, () => ({ enum: Array.from({ length: 11 }, (_, at) => long + at) })),
      "#/properties/p0;",
    ],
    ["escapes", { const: '"'.repeat(90_000) }, "#;"],
    ["long characters", { const: "語".repeat(80_000) }, "#;"],
  ])("is refused in the schema's terms for its %s", async (_what, schema, place) => {
    const error = await caught(async () => {
      await using model = await loadEmbedded();
      await using engine = await model.createEngine({ slots: 1, contextLength: 512 });
      await engine.generate({ prompt: "A", jsonSchema: schema as never, maxTokens: 1 });
    });
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toMatch(/jsonSchema (makes too large a grammar|must be a JSON schema)/);
    if (error.message.includes("too large")) expect(error.message).toContain(`most of it for ${place}`);
  });
});
