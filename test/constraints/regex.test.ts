// Regular expressions as grammars: what is refused, and against JavaScript's own
// engine which texts match, judged by the addon's grammar on drawn texts.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { regexGrammar } from "../../src/constraints/regex.js";
import type { Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

describe("a regular expression", () => {
  it.each([
    ["a|bc", 'root ::= "a" | "bc"'],
    ["^[a-c]+$", "root ::= [a-c]+"],
    ["(?:x|)?", 'root ::= ("x" | "")?'],
    ["(?<year>\\d{4})-\\d{2,}?", 'root ::= [0-9]{4} "-" [0-9]{2,}'],
    ["\\u{1F600}\\x41\\n", 'root ::= "\\U0001f600A\\u000a"'],
    ["[\\]\\-a]", "root ::= [\\u002d\\u005da]"],
    ["b{0,3000}", 'root ::= "b"*'],
    ["(ab){2}c", 'root ::= ("ab"){2} "c"'],
    ["[^\\d]", "root ::= [\\u0000-/:-\\U0010ffff]"],
  ])("%s is %s", (source, grammar) => {
    expect(regexGrammar(source)).toBe(grammar);
  });

  it.each([
    ["(a)\\1", "refers back to a group"],
    ["(?<a>x)\\k<a>", "refers back to a group"],
    ["(?=a)", "matches no text"],
    ["(?<!a)b", "looks behind"],
    ["((?=a)b)*", "looks ahead or has an anchor in what it repeats"],
    ["\\bword", 'the word boundary "\\b"'],
    ["\\p{Nothing}", "which is no property of Unicode"],
    ["a^b", "matches no text"],
    ["*a", 'nothing before "*"'],
    ["a**", "repeats a repetition"],
    ["a{2,1}", "numbers out of order"],
    ["a{5000}", "at least 0 to 2000 times"],
    ["[z-a]", "out of order"],
    ["[]", "a class without characters"],
    ["(a", "without a closing one"],
    ["a)", "without an opening one"],
    ["[a", "without a closing one"],
    ["\\u{110000}", "no character"],
    ["\\", "ends too soon"],
    ["(?i)a", "a group of a kind that is not known"],
    ["(".repeat(100) + ")".repeat(100), "more than 64 nested groups"],
  ])("%s is refused by name", async (source, reason) => {
    const error = await caught(() => regexGrammar(source));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain(reason);
  });
});

describe("texts drawn under a regular expression", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadEmbedded();
  });
  afterAll(() => model.close());

  it.each([
    "(\\d{3}-)?\\d{4}",
    "[A-Z][a-z]+( [A-Z][a-z]+){0,2}",
    "(yes|no|maybe)[.!?]",
    "#[0-9a-fA-F]{6}|rgb\\(\\d{1,3}(, \\d{1,3}){2}\\)",
    "\\w{1,9}@\\w{1,9}\\.(com|org)",
    "[^aeiou\\s]{3,6}\\s.{2}",
    "(a|b)*c+?d{2,3}",
    "(?!.*aa)[ab]{4,9}",
    "(?=.*\\d)(?=.*[A-Z])\\w{4,8}",
    "(?:^a|b)c$|\\p{Lu}\\P{L}",
  ])("%s match it", async (source) => {
    await withEngine(model, { slots: 8, contextLength: 256 }, async (engine) => {
      const run = { prompt: "Once", regex: source, maxTokens: 120, temperature: 2, topP: 1, n: 8, seed: 5 };
      const { choices } = await engine.generate(run);
      const whole = new RegExp(`^(?:${source})$`, "u");
      const ended = choices.filter((choice) => choice.finishReason === "stop");
      expect(ended.length).toBeGreaterThan(0);
      for (const { text } of ended) expect(text).toMatch(whole);
      const dots = await engine.generate({ ...run, regex: new RegExp(source, "su"), n: 1 });
      if (dots.finishReason === "stop") expect(dots.text).toMatch(new RegExp(`^(?:${source})$`, "su"));
    });
  });
});
