// Requests: defaults, every limit, and what reaches the addon.
import { describe, expect, it } from "vitest";
import { judgeRequest, judgeTokens, requestSchema } from "../../src/engine/request.js";
import { caught } from "../helpers/caught.js";

const schema = requestSchema({ vocabularySize: 512, addBos: false, loras: [] });

function judged(request: Record<string, unknown>) {
  return judgeRequest(schema, { prompt: "a", ...request }, () => 7n).native;
}

async function refusal(request: unknown): Promise<string> {
  const error = await caught(() => judgeRequest(schema, request, () => 7n));
  expect(error.code).toBe("INVALID_OPTION");
  return error.message;
}

describe("a judged request", () => {
  it("has the documented defaults and a random seed", () => {
    expect(judged({})).toEqual({
      prompt: "a",
      grammar: "",
      grammarPrefix: "",
      triggers: [],
      textBefore: "",
      thinkingStart: "",
      thinkingEnds: [],
      thinking: false,
      visible: [],
      addSpecial: true,
      parallelSamples: false,
      embeds: false,
      ranks: false,
      saves: false,
      loras: null,
      parseSpecial: false,
      maxTokens: 0,
      ignoreEos: false,
      cache: true,
      cacheSalt: "",
      stop: [],
      stopTokens: [],
      temperature: 0.7,
      topK: 0,
      topP: 0.95,
      minP: 0,
      typicalP: 1,
      topNSigma: 0,
      xtcProbability: 0,
      xtcThreshold: 0.1,
      dynatempRange: 0,
      dynatempExponent: 1,
      mirostat: 0,
      mirostatTau: 5,
      mirostatEta: 0.1,
      dryMultiplier: 0,
      dryBase: 1.75,
      dryAllowedLength: 2,
      dryWindow: -1,
      drySequenceBreakers: ["\n", ":", '"', "*"],
      minTokens: 0,
      logProbs: -1,
      promptLogProbs: -1,
      promptTokens: false,
      includeStop: false,
      showSpecial: false,
      allowedTokens: [],
      badWords: [],
      truncatePrompt: 0,
      repeatPenalty: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      penaltyWindow: -1,
      seed: 7n,
      logitBias: new Float64Array(),
    });
  });

  it("is frozen and holds a copy of the prompt's tokens", () => {
    const prompt = [1, 2, 3];
    const native = judged({ prompt });
    prompt[0] = 9;
    expect(native.prompt).toEqual(Int32Array.of(1, 2, 3));
    expect(Object.isFrozen(native)).toBe(true);
  });

  it("takes tokens as an Int32Array too", () => {
    expect(judged({ prompt: Int32Array.of(511, 0) }).prompt).toEqual(Int32Array.of(511, 0));
  });

  it("takes one stop string or several", () => {
    expect(judged({ stop: "\n\n" }).stop).toEqual(["\n\n"]);
    expect(judged({ stop: ["a", "é".repeat(128)] }).stop).toHaveLength(2);
  });

  it("takes a seed as a number, decimal text or a bigint up to 2^64-1", () => {
    expect(judged({ seed: 5 }).seed).toBe(5n);
    expect(judged({ seed: "5" }).seed).toBe(5n);
    expect(judged({ seed: "18446744073709551615" }).seed).toBe(2n ** 64n - 1n);
    expect(judged({ seed: 2n ** 64n - 1n }).seed).toBe(2n ** 64n - 1n);
  });

  it("flattens logit biases of an object or a Map", () => {
    const flat = Float64Array.of(3, -1.5, 7, -Infinity);
    expect(judged({ logitBias: { 3: -1.5, 7: -Infinity } }).logitBias).toEqual(flat);
    expect(
      judged({
        logitBias: new Map([
          [3, -1.5],
          [7, -Infinity],
        ]),
      }).logitBias,
    ).toEqual(flat);
  });

  it("keeps its signal on this side", () => {
    const { signal } = new AbortController();
    const { native, signal: kept } = judgeRequest(schema, { prompt: "a", signal }, () => 7n);
    expect(kept).toBe(signal);
    expect(native).not.toHaveProperty("signal");
  });
});

describe("a refused request", () => {
  it.each([
    [{ maxTokens: -3 }, "generate(): maxTokens must be an integer of at least 1, got -3"],
    [
      { maxTokens: Symbol("many") },
      "generate(): maxTokens must be an integer of at least 1, got Symbol(many)",
    ],
    [
      { maxTokens: 2 ** 31 },
      "generate(): maxTokens must be an integer of at most 2147483647, got 2147483648",
    ],
    [{ temperature: -0.1 }, "generate(): temperature must be a number from 0 to 100, got -0.1"],
    [{ temperature: Infinity }, "generate(): temperature must be a number from 0 to 100, got Infinity"],
    [{ topK: 0.5 }, "generate(): topK must be an integer from 0 to 2147483647, got 0.5"],
    [{ topP: 0 }, "generate(): topP must be a number above 0 and at most 1, got 0"],
    [{ topP: 1.01 }, "generate(): topP must be a number above 0 and at most 1, got 1.01"],
    [{ minP: 2 }, "generate(): minP must be a number from 0 to 1, got 2"],
    [{ typicalP: 0 }, "generate(): typicalP must be a number above 0 and at most 1, got 0"],
    [{ topNSigma: -1 }, "generate(): topNSigma must be a number from 0 to 100, got -1"],
    [{ xtcProbability: 2 }, "generate(): xtcProbability must be a number from 0 to 1, got 2"],
    [{ mirostat: 1 }, "generate(): mirostat must be 0 or 2, got 1"],
    [{ minTokens: -1 }, "generate(): minTokens must be an integer from 0 to 2147483647, got -1"],
    [{ repeatPenalty: 0 }, "generate(): repeatPenalty must be a number above 0 and at most 10, got 0"],
    [{ presencePenalty: 3 }, "generate(): presencePenalty must be a number from -2 to 2, got 3"],
    [{ penaltyWindow: -2 }, "generate(): penaltyWindow must be an integer from -1 to 2147483647, got -2"],
    [
      { seed: -1 },
      "generate(): seed must be an integer from 0 to 2^64-1 (above 2^53-1 a bigint or decimal text), got -1",
    ],
    [{ seed: "18446744073709551616" }, /^generate\(\): seed must be .*, got "18446744073709551616"$/],
    [{ seed: "0x1" }, /^generate\(\): seed must be .*, got "0x1"$/],
    [{ seed: "" }, /^generate\(\): seed must be .*, got ""$/],
    [{ seed: 2n ** 64n }, /^generate\(\): seed must be .*, got 18446744073709551616n$/],
    [{ seed: 2 ** 53 }, /^generate\(\): seed must be .*, got 9007199254740992$/],
    [
      { stop: "" },
      /^generate\(\): stop must be a non-empty string of at most 256 UTF-8 bytes.*, got an empty string$/,
    ],
    [{ stop: ["ok", ""] }, /^generate\(\): stop\[1\] must be a non-empty string .*, got an empty string$/],
    [{ stop: "é".repeat(129) }, /^generate\(\): stop must be .*, got a string of 129 characters$/],
    [{ stop: Array(17).fill("a") }, "generate(): stop must be at most 16 strings, got an array of 17"],
    [{ stopTokens: [1, 512] }, "generate(): stopTokens[1] must be an integer from 0 to 511, got 512"],
    [{ stopTokens: 1 }, "generate(): stopTokens must be an array of token ids, got 1"],
    [
      { logitBias: { 512: 1 } },
      "generate(): logitBias must be keyed by token ids from 0 to 511, got an object",
    ],
    [
      { logitBias: { x: 1 } },
      "generate(): logitBias must be keyed by token ids from 0 to 511, got an object",
    ],
    [
      { logitBias: { "": 1 } },
      "generate(): logitBias must be keyed by token ids from 0 to 511, got an object",
    ],
    [
      { logitBias: { "0x10": 1 } },
      "generate(): logitBias must be keyed by token ids from 0 to 511, got an object",
    ],
    [
      { logitBias: { 3: 1e308 } },
      "generate(): logitBias[3] must be a number from -1e6 to 1e6, or -Infinity, got 1e+308",
    ],
    [
      { logitBias: { 3: Infinity } },
      "generate(): logitBias[3] must be a number from -1e6 to 1e6, or -Infinity, got Infinity",
    ],
    [
      { logitBias: new Map([[3, "x"]]) },
      'generate(): logitBias[3] must be a number from -1e6 to 1e6, or -Infinity, got "x"',
    ],
    [
      { logitBias: [1] },
      "generate(): logitBias must be an object or a Map from token id to bias, got an array of 1",
    ],
    [{ cache: 1 }, "generate(): cache must be true or false, got 1"],
    [
      { cacheSalt: 7 },
      "generate(): cacheSalt must be a string of at most 256 UTF-8 bytes without NUL, got 7",
    ],
    [{ ignoreEos: "yes" }, 'generate(): ignoreEos must be true or false, got "yes"'],
    [{ signal: "x" }, 'generate(): signal must be an AbortSignal, got "x"'],
    [{ maxtokens: 3 }, 'generate(): unknown option "maxtokens"; did you mean maxTokens?'],
    [{ foo: 3 }, 'generate(): unknown option "foo"; the options are those of docs/options.md'],
  ])("%o is refused by name", async (options, sentence) => {
    const message = await refusal({ prompt: "a", ...options });
    if (typeof sentence === "string") expect(message).toBe(sentence);
    else expect(message).toMatch(sentence);
  });

  it.each([
    [undefined, "generate(): prompt or messages must be given, got neither"],
    [5, "generate(): prompt must be a string or an array of token ids, got 5"],
    [[], "generate(): prompt must be at least one token, got an empty array"],
    [[1, 512], "generate(): prompt[1] must be a token id from 0 to 511, got 512"],
    [[1, -1], "generate(): prompt[1] must be a token id from 0 to 511, got -1"],
    [["a"], "generate(): prompt[0] must be a token id from 0 to 511, got a string of 1 character"],
    [
      "",
      "generate(): prompt must be non-empty, since this model adds no begin-of-sequence token, got an empty string",
    ],
  ])("a prompt of %j", async (prompt, sentence) => {
    expect(await refusal({ prompt })).toBe(sentence);
  });

  it("is refused when it is no object at all", async () => {
    const expected =
      'generate(): options must be an object such as { prompt: "…" } or { messages: […] }, got';
    expect(await refusal(undefined)).toBe(`${expected} nothing`);
    expect(await refusal("prompt")).toBe(`${expected} a string of 6 characters`);
  });
});

describe("an empty prompt", () => {
  it("is allowed where the model begins every text with a token", () => {
    const begins = requestSchema({ vocabularySize: 512, addBos: true, loras: [] });
    expect(judgeRequest(begins, { prompt: "" }, () => 7n).native.prompt).toBe("");
  });
});

describe("judgeTokens", () => {
  it("copies valid ids and names the first invalid one", async () => {
    expect(judgeTokens("detokenize()", [1, 2], 512)).toEqual(Int32Array.of(1, 2));
    const error = await caught(() => judgeTokens("detokenize()", [1, 600], 512));
    expect(error.message).toBe("detokenize(): tokens[1] must be a token id from 0 to 511, got 600");
    expect((await caught(() => judgeTokens("detokenize()", "12", 512))).code).toBe("INVALID_OPTION");
  });
});
