// Counts how many sentences of a model's samples the grammar accepts: JSON lines
// { kind, text } in, one line per kind out, each rejected sentence above it.
//
//   python sample.py --work FOLDER | node judge.mjs

import { createInterface } from "node:readline";
import { acceptance } from "./parser.mjs";

/** @type {Map<string, { sentences: number, accepted: number }>} */
const totals = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const { kind, text } = JSON.parse(line);
  const judged = acceptance(text);
  const total = totals.get(kind) ?? { sentences: 0, accepted: 0 };
  totals.set(kind, {
    sentences: total.sentences + judged.sentences,
    accepted: total.accepted + judged.accepted,
  });
  for (const sentence of judged.rejected) process.stdout.write(`rejected: ${sentence}\n`);
}
for (const [kind, { sentences, accepted }] of totals) {
  const share = ((100 * accepted) / sentences).toFixed(1);
  process.stdout.write(`${kind}: ${accepted} of ${sentences} sentences accepted (${share} %)\n`);
}
