// Schemas with long lists of values: the event loop is everybody's.
import { expect, it } from "vitest";
import { schemaGrammar } from "../../src/constraints/schema.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

const listOf = (count: number, name = "v") => ({
  enum: Array.from({ length: count }, (_, index) => `${name}${index}`),
});

/** Milliseconds of processor time, the least of three schemas. */
function costOf(count: number): number {
  const costs = ["a", "b", "c"].map((name) => {
    const schema = listOf(count, name); // another each time: grammars are remembered
    const before = process.cpuUsage();
    schemaGrammar(schema);
    return process.cpuUsage(before).user / 1000;
  });
  return Math.min(...costs);
}

it("cost as much more as they are longer, not its square", () => {
  costOf(100); // compiles the routines
  expect(costOf(8000)).toBeLessThan(24 * costOf(1000) + 50);
});

/** Milliseconds of processor time until a schema is written, or refused as too large. */
function costOfPatterns(count: number, properties: number): number {
  const named = (times: number, name: (index: number) => string) =>
    Object.fromEntries(Array.from({ length: times }, (_, index) => [name(index), {}]));
  const patternProperties = named(count, (index) => `^x${index}(a|b)*$`);
  const before = process.cpuUsage();
  const write = () => schemaGrammar({ patternProperties, properties: named(properties, (i) => `x${i}ab`) });
  expect(write).toThrow(/makes too large a grammar/);
  return process.cpuUsage(before).user / 1000;
}

it("of patterns are refused after the same work, however many they are", () => {
  const few = costOfPatterns(250, 0);
  expect(costOfPatterns(1000, 3000)).toBeLessThan(3 * few + 500);
});

it("of objects are the same in whatever order their keys come", () => {
  const schema = { enum: [{ a: 1, b: [2, { c: 3, d: 4 }] }], const: { b: [2, { d: 4, c: 3 }], a: 1 } };
  expect(() => schemaGrammar(schema)).not.toThrow();
  expect(() => schemaGrammar({ enum: [[1, 2]], const: [2, 1] })).toThrow();
});

it("that are too long beside messages are refused by their own name", async () => {
  const model = await loadEmbedded();
  await withEngine(model, { slots: 1 }, async (engine) => {
    const messages = [{ role: "user" as const, content: "hi" }];
    const error = await caught(() => engine.generate({ messages, jsonSchema: listOf(10_000), maxTokens: 1 }));
    expect(error.message).toMatch(/^generate\(\): jsonSchema makes too large a grammar/);
  });
  await model.close();
});
