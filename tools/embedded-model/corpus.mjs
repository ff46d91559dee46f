// Writes the corpus the embedded model learns: stories and conversations, one
// document a line as JSON, from one seed. Every sentence of a story and of the
// assistant is parsed before it is written; one that the grammar does not
// derive stops the program. The same seed gives the same bytes.
//
//   node tools/embedded-model/corpus.mjs --out FILE [--documents N]

import { createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { converse } from "./chats.mjs";
import { parseSentence, splitSentences } from "./parser.mjs";
import { Random } from "./random.mjs";
import { tellLongStory, tellStory } from "./stories.mjs";

export const SEED = 20240607;
export const DOCUMENTS = 24000;

/** What the whole corpus hashes to, and its first documents alone. */
export const CORPUS_SHA256 = "d35de8bb622358068d1589eb30ad8849f4f885fd470b6ba002a48194a6ebdb3f";
export const CORPUS_START = {
  documents: 500,
  sha256: "1f468b72d65c5299e50487be59f88321e3f6e3dd4d0d3c84e7097bd2a5a4fb55",
};

/** @typedef {import('./chats.mjs').Turn} Turn */
/** @typedef {{ story: string } | { turns: Turn[] }} Document */

/** @param {Random} random @returns {Document} */
function writeDocument(random) {
  const kind = random.next();
  if (kind < 0.44) return { story: tellStory(random).text };
  if (kind < 0.48) return { story: tellLongStory(random) };
  if (kind < 0.52) return { turns: converse(random, 14) };
  return { turns: converse(random) };
}

/** @param {Document} document @returns {string[]} the texts that the grammar must accept */
function judged(document) {
  if ("story" in document) return [document.story];
  return document.turns.filter((turn) => !turn.free).map((turn) => turn.text);
}

/** @param {Document} document @returns {string} */
function asLine(document) {
  const plain =
    "story" in document ? document : { turns: document.turns.map(({ role, text }) => ({ role, text })) };
  return `${JSON.stringify(plain)}\n`;
}

/** Remembers what already parsed: stories repeat their short sentences. */
export class Judge {
  constructor() {
    /** @type {Set<string>} */
    this.passed = new Set();
  }

  /** @param {string} text */
  check(text) {
    const sentences = splitSentences(text);
    const wrong = sentences.filter((sentence) => !this.passed.has(sentence) && !parseSentence(sentence));
    if (wrong.length > 0) throw new Error(`the grammar rejects: ${wrong.join(" / ")}`);
    if (sentences.join(" ") !== text.replaceAll("\n", " ")) throw new Error(`an open end: ${text}`);
    for (const sentence of sentences) this.passed.add(sentence);
  }
}

/**
 * @param {number} [documents] how many
 * @param {number} [seed]
 * @returns {Generator<Document>} the corpus from its beginning
 */
export function* corpus(documents = DOCUMENTS, seed = SEED) {
  const random = new Random(seed);
  for (let count = 0; count < documents; count += 1) yield writeDocument(random);
}

/** @param {number} documents @returns {string} the SHA-256 of the corpus's first documents */
export function corpusHash(documents) {
  const hash = createHash("sha256");
  for (const document of corpus(documents)) hash.update(asLine(document));
  return hash.digest("hex");
}

/** @param {string} path @param {number} documents */
function writeCorpus(path, documents) {
  const judge = new Judge();
  const hash = createHash("sha256");
  const file = openSync(path, "w");
  for (const document of corpus(documents)) {
    for (const text of judged(document)) judge.check(text);
    const line = asLine(document);
    hash.update(line);
    writeSync(file, line);
  }
  closeSync(file);
  process.stdout.write(`${hash.digest("hex")}  ${documents} documents\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({ options: { out: { type: "string" }, documents: { type: "string" } } });
  if (!values.out) throw new Error("usage: corpus.mjs --out FILE [--documents N]");
  writeCorpus(values.out, Number(values.documents ?? DOCUMENTS));
}
