// The second load of a checkpoint, from the cache, beside loading the same GGUF file by its path:
// each in a process of its own, alternated after one of each that does not count. Prints medians
// of loadModel() in milliseconds and their ratio; exit code 1 where it is above the limit.
//   node tools/checkpoints/second-load.mjs CHECKPOINT CACHE_FOLDER [--rounds N] [--limit RATIO]
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const self = fileURLToPath(import.meta.url);
const [source, cache, ...rest] = process.argv.slice(2);
if (cache === undefined)
  throw new Error("second-load.mjs CHECKPOINT CACHE_FOLDER [--rounds N] [--limit RATIO]");

if (rest[0] === "--child") {
  const { loadModel } = await import("../../dist/index.js");
  const checkpoint = { cache };
  const start = performance.now();
  const model = await loadModel(source, { checkpoint });
  const milliseconds = performance.now() - start;
  console.log(JSON.stringify({ milliseconds, file: model.info.checkpoint?.file ?? null }));
  await model.close();
} else compare();

function compare() {
  const rounds = flag("--rounds", 11);
  const limit = flag("--limit", 1.1);
  const { file } = load(source); // writes it where it is not there
  if (file === null) throw new Error("the checkpoint was not loaded from the cache");
  load(file);
  const [cached, plain] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    const measure = [() => cached.push(load(source).milliseconds), () => plain.push(load(file).milliseconds)];
    if (round % 2 === 1) measure.reverse();
    for (const each of measure) each();
  }
  const ratio = median(cached) / median(plain);
  console.log(
    `second load ${median(cached).toFixed(0)} ms, the same GGUF ${median(plain).toFixed(0)} ms, ` +
      `ratio ${ratio.toFixed(3)} (medians of ${rounds}, alternated; limit ${limit})`,
  );
  process.exitCode = ratio <= limit ? 0 : 1;
}

function load(path) {
  return JSON.parse(execFileSync(process.execPath, [self, path, cache, "--child"], { encoding: "utf8" }));
}

function median(numbers) {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)];
}

function flag(name, otherwise) {
  const place = rest.indexOf(name);
  return place < 0 ? otherwise : Number(rest[place + 1]);
}
