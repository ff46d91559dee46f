// The embedded model's making: its corpus, the grammar that judges it, and the
// file with its variants. How the model writes is tested with the engine.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  acceptance,
  CORPUS_START,
  corpus,
  corpusHash,
  type Document,
  embeddedModel,
  makeVariant,
  parseSentence,
  Random,
  readGguf,
  splitSentences,
  type Variant,
  variants,
} from "../tools/embedded-model/index.mjs";

const kMaximumBytes = 3_000_000;
const file = readFileSync(embeddedModel);
const model = readGguf(file);
const value = (key: string) => model.entries.find((entry) => entry.key === key)?.value;

function judgedTexts(document: Document): string[] {
  if ("story" in document) return [document.story];
  return document.turns.filter((turn) => !turn.free).map((turn) => turn.text);
}

const sentences = [...corpus(60, 1)].flatMap(judgedTexts).flatMap(splitSentences);

/** The sentence's words in another order, spelled as a sentence again. */
function shuffled(sentence: string, random: Random): string {
  const words = sentence.replace(/[.,!?]/g, "").split(" ");
  const [first = "", ...rest] = random.sample(words, words.length);
  const lowered = rest.map((word) => (word === words[0] ? word.toLowerCase() : word));
  return `${[`${first.charAt(0).toUpperCase()}${first.slice(1)}`, ...lowered].join(" ")}.`;
}

describe("the corpus", () => {
  it("reproduces byte for byte from its seed", () => {
    expect(corpusHash(CORPUS_START.documents)).toBe(CORPUS_START.sha256);
  });

  it("differs with another seed", () => {
    expect([...corpus(3, 1)]).not.toEqual([...corpus(3, 2)]);
  });
});

describe("the grammar", () => {
  it("accepts every sentence of stories, system turns and answers", () => {
    const rejected = sentences.filter((sentence) => !parseSentence(sentence));
    expect(sentences.length).toBeGreaterThan(500);
    expect(rejected).toEqual([]);
  });

  it("rejects nearly every sentence whose words are shuffled", () => {
    const random = new Random(11);
    const long = sentences.filter((sentence) => sentence.split(" ").length >= 6 && !sentence.includes('"'));
    const changed = long.map((sentence) => ({ sentence, other: shuffled(sentence, random) }));
    const wrong = changed.filter(
      ({ sentence, other }) => other.replace(/[.,]/g, "") !== sentence.replace(/[.,]/g, ""),
    );
    const passed = wrong.filter(({ other }) => parseSentence(other));
    expect(wrong.length).toBeGreaterThan(100);
    expect(passed.length / wrong.length).toBeLessThan(0.02);
  });

  it.each([
    "She walk home.",
    "The foxes was happy.",
    "A foxes ran.",
    "I is happy.",
    "Tom found an kite.",
    "She ate a apple.",
    "Him saw a dog.",
    "He did not found it.",
    "Where did Pip found the kite?",
    "Where Pip found the kite?",
    "She gave to.",
    "There were no dragon.",
    "Every foxes sleep.",
    "The fox lives in forest the.",
    "He wanted to found it.",
    "tom ran home.",
    "Tom ran Home.",
    "Tom ran home",
    "Tom  ran home .",
    "The blorf ran home.",
    '"Where is my hat? asked Mia.',
  ])("rejects %j", (sentence) => {
    expect(parseSentence(sentence)).toBe(false);
  });

  it.each([
    "The foxes were happy.",
    "An old owl gave him an egg.",
    "He did not find it.",
    "Where did Pip find the kite?",
    '"Where is my hat?" asked Mia.',
    '"I am lost," said the little bear. "Can you help me?"',
    "I do not know that word, but I can tell you a story about a fox.",
  ])("accepts %j", (sentence) => {
    expect(parseSentence(sentence)).toBe(true);
  });

  it("counts speech with its speaker as one sentence and leaves an unfinished tail out", () => {
    const text = '"Hello, Tom! Can you help me?" asked the owl. Mia ran. "Yes!" She sat. And then th';
    expect(splitSentences(text)).toEqual([
      '"Hello, Tom! Can you help me?" asked the owl.',
      "Mia ran.",
      '"Yes!"',
      "She sat.",
    ]);
    expect(acceptance("Mia ran home. Mia run home. Mia r")).toEqual({
      sentences: 2,
      accepted: 1,
      rejected: ["Mia run home."],
    });
  });
});

describe("the committed model", () => {
  it("is at most 3 MB", () => {
    expect(file.byteLength).toBeLessThanOrEqual(kMaximumBytes);
  });

  it("names itself, its licence, its making and its chat template", () => {
    expect(value("general.name")).toBe("Tinytale");
    expect(value("general.license")).toBe("mit");
    expect(value("general.description")).toMatch(/corpus\.mjs \(sha256 [0-9a-f]{64}\).*train\.py/);
    expect(value("tokenizer.chat_template")).toContain("<|end|>");
  });

  it("has widths that every quantization divides, and at least 1024 positions", () => {
    for (const key of ["llama.embedding_length", "llama.feed_forward_length"]) {
      expect(Number(value(key)) % 256, key).toBe(0);
    }
    for (const tensor of model.tensors) expect((tensor.shape[0] ?? 0) % 256, tensor.name).toBe(0);
    expect(value("llama.context_length")).toBeGreaterThanOrEqual(1024);
  });

  it("keeps its matrices in Q8_0 and its norms in F32", () => {
    for (const { name, type } of model.tensors)
      expect(type, name).toBe(name.includes("norm") ? "F32" : "Q8_0");
  });
});

describe.each(Object.keys(variants) as Variant[])("the %s variant", (variant) => {
  const bytes = makeVariant(file, variant);
  const made = readGguf(bytes);

  it("has every matrix in its own type and every norm in F32", () => {
    expect(made.tensors.map(({ name }) => name)).toEqual(model.tensors.map(({ name }) => name));
    for (const { name, type } of made.tensors) {
      expect(type, name).toBe(name.includes("norm") ? "F32" : variants[variant].type);
    }
  });

  it("keeps the header but for the file's type", () => {
    const others = (entries: typeof made.entries) => entries.filter(({ key }) => key !== "general.file_type");
    expect(others(made.entries)).toEqual(others(model.entries));
    expect(made.entries.find(({ key }) => key === "general.file_type")?.value).toBe(
      variants[variant].fileType,
    );
  });

  it("is the same bytes each time", () => {
    expect(Buffer.compare(makeVariant(file, variant), bytes)).toBe(0);
  });
});
