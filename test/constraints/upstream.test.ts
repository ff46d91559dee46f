// Upstream's own grammars through the public door: what is written under each is
// judged by something that has never heard of grammars.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Model } from "../../src/index.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

const sources =
  process.env.INFERNODE_LLAMA_CPP_DIR ?? join(import.meta.dirname, "../../third_party/.sources/llama.cpp");
const folder = join(sources, "grammars");

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

function isJson(text: string): boolean {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null;
}

const move = "(([NBKQR][a-h]?[1-8]?x?[a-h][1-8]|([a-h]x)?[a-h][1-8](=[NBKQR])?|O-O(-O)?)[+#]?)";

/** Closing brackets come as often as opening ones, outside of strings. */
function isBalanced(text: string): boolean {
  const bare = text.replaceAll(/"[^"]*"/g, "").replaceAll(/\/\/.*\n|\/\*[\s\S]*?\*\//g, "");
  const count = (sign: string) => bare.split(sign).length;
  return count("(") === count(")") && count("{") === count("}");
}

const judges: Readonly<Record<string, (text: string) => boolean>> = {
  arithmetic: (text) => /^([a-z0-9_+*/()= \t\n-]+=[a-z0-9_+*/()= \t\n-]+\n)+$/.test(text),
  c: isBalanced,
  chess: (text) => new RegExp(`^(\\d{1,2}\\. ${move} ${move}\n){2,}$`).test(text),
  english: (text) => text !== "" && !/[^\x20-\x7e\t\n]/.test(text),
  japanese: (text) => text !== "" && !/[\x21-\x2f\x3a-\x7e]/.test(text),
  json: isJson,
  json_arr: (text) => isJson(text) && text.startsWith("[\n"),
  list: (text) => /^(- [^\r\n]+\n)+$/.test(text),
};

/** What the model must be pushed to write for a text to end. */
const closing: Readonly<Record<string, string>> = { arithmetic: "=\n", json: '"}', json_arr: '"]' };

const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".gbnf")) : [];

it("finds a judge for each of upstream's grammars", () => {
  expect(files.map((file) => basename(file, ".gbnf")).sort()).toEqual(Object.keys(judges).sort());
});

it.each(files)(
  "%s holds",
  async (file) => {
    const grammar = readFileSync(join(folder, file), "utf8");
    const name = basename(file, ".gbnf");
    const judge = judges[name];
    await withEngine(model, { slots: 8, contextLength: 512, deterministic: true }, async (engine) => {
      // So that texts come to an end.
      const ends = model.tokenize(closing[name] ?? "", { addSpecial: false }).map((token) => [token, 3]);
      const logitBias = { ...Object.fromEntries(ends), [model.info.eosToken]: 6 };
      const run = { prompt: "Once", grammar, temperature: 1.2, topP: 1, maxTokens: 400, logitBias };
      const { choices } = await engine.generate({ ...run, n: 24, seed: 3 });
      const ended = choices.filter(({ finishReason }) => finishReason === "stop");
      expect(ended.length).toBeGreaterThan(0);
      for (const { text } of ended) expect(judge?.(text), text).toBe(true);
    });
  },
  30_000,
);
