// The door for tests: the corpus, the grammar's judgement and the model's files.
// index.d.mts states the same names for TypeScript.

export { CORPUS_SHA256, CORPUS_START, corpus, corpusHash } from "./corpus.mjs";
export { readGguf, writeGguf } from "./gguf.mjs";
export { acceptance, parseSentence, splitSentences } from "./parser.mjs";
export { Random } from "./random.mjs";
export { embeddedModel, makeVariant, variants, withContext } from "./variants.mjs";
