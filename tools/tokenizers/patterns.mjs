// Compares the checkpoints of patterns.py with what Hugging Face's tokenizers makes of them:
//   node tools/tokenizers/patterns.mjs OUT    (needs dist/ and the native files)
// Prints a line for each pattern; exits 1 where a text has other ids, tekken's known ones apart.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { loadModel } from "../../dist/index.js";

/** llama.cpp's tekken cuts words at combining marks: Thai and Hindi texts. */
const kKnownDifferences = { tekken: 4 };

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error("usage: node tools/tokenizers/patterns.mjs OUT");
for (const name of readdirSync(out)) {
  const folder = path.join(out, name);
  const { texts, ids } = JSON.parse(readFileSync(path.join(folder, "expected.json"), "utf8"));
  const model = await loadModel(folder, { checkpoint: { cache: false } });
  const found = model.metadata["tokenizer.ggml.pre"];
  const other = texts.filter(
    (text, index) => [...model.tokenize(text, { addSpecial: false })].join() !== ids[index].join(),
  );
  await model.close();
  console.log(`${name}: read as ${found}, ${other.length} of ${texts.length} texts differ`);
  for (const text of other.slice(0, 4)) console.log(`  ${JSON.stringify(text)}`);
  if (found !== name || other.length > (kKnownDifferences[name] ?? 0)) process.exitCode = 1;
}
