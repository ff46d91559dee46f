// `node tools/gpu/summary.mjs FOLDER`: what the parts of gpu:check wrote there, as a short table in
// the order of the parts. A part that wrote nothing whole is named.
import { readFileSync } from "node:fs";
import path from "node:path";

const kParts = [1, 2, 3, 4];
const number = (value, digits = 1) => (value === null || value === undefined ? "-" : value.toFixed(digits));
const percent = (share) => (share === null || share === undefined ? "-" : `${(100 * share).toFixed(0)} %`);

// In JSON a gap without bound is null.
const largest = (values) => (values.includes(null) ? "any number" : number(Math.max(...values), 3));

const lines = {
  1: ({ result }) => [
    `parity: ${result.length} models and layouts, at most ${largest(result.map(({ worst }) => worst))} apart, texts part at gaps up to ${largest(result.map(({ parted }) => parted))}`,
  ],
  2: ({ result }) =>
    result.rows.map(
      ({ requests, passes, reused }) =>
        `reuse: ${requests} at once, ${reused} of ${passes} steps (${percent(reused / passes)})`,
    ),
  3: ({ result }) =>
    result.rows.map(
      (row) =>
        `decode: ${row.width} at once, ${number(row.tokensPerSecond)} tokens/s, llama-batched-bench ${number(row.theirs)}, ` +
        `ratio ${number(row.ratio, 3)}, of the ceiling ${percent(row.share)}, next: ${row.step.next}`,
    ),
  4: ({ result }) =>
    result.rows.map(
      (row) =>
        `serving: ${row.clients} clients, ${number(row.tokensPerSecond)} tokens/s, llama-server ${number(row.theirs)}, ratio ${number(row.ratio, 2)}`,
    ),
};

for (const part of kParts) {
  const report = read(part);
  if (report === null) {
    console.log(`part ${part}: no result; log.txt says why`);
    continue;
  }
  for (const line of lines[part](report)) console.log(line);
  for (const { what, value, atLeast, atMost } of report.missed) {
    console.log(
      `  missed: ${what}: ${number(value, 3)}, bar ${atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast}`}`,
    );
  }
}

function read(part) {
  try {
    return JSON.parse(readFileSync(path.join(process.argv[2], `part${part}.json`), "utf8"));
  } catch {
    return null;
  }
}
