// A multiple-choice task of 200 items for lm-eval, which needs no download: capitals, opposites
// and sums. `node tools/lm-eval/make-task.mjs FOLDER` writes infernode_mc.yaml and its items there.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

const capitals = Object.entries({
  France: "Paris",
  Italy: "Rome",
  Spain: "Madrid",
  Germany: "Berlin",
  Japan: "Tokyo",
  China: "Beijing",
  Russia: "Moscow",
  Egypt: "Cairo",
  Greece: "Athens",
  Poland: "Warsaw",
  Norway: "Oslo",
  Sweden: "Stockholm",
  Portugal: "Lisbon",
  Austria: "Vienna",
  Ireland: "Dublin",
  Cuba: "Havana",
  Peru: "Lima",
  Kenya: "Nairobi",
  India: "New Delhi",
  Canada: "Ottawa",
});
const opposites = Object.entries({
  hot: "cold",
  big: "small",
  up: "down",
  fast: "slow",
  light: "dark",
  happy: "sad",
  old: "young",
  wet: "dry",
  open: "closed",
  early: "late",
  hard: "soft",
  full: "empty",
  high: "low",
  rich: "poor",
  strong: "weak",
  long: "short",
  good: "bad",
  near: "far",
  loud: "quiet",
  clean: "dirty",
});
const items = 200;

let state = 5;
/** A whole number from 0 to below `limit`, the same in each run. */
function random(limit) {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

function shuffled(values) {
  const rest = [...values];
  return values.map(() => rest.splice(random(rest.length), 1)[0]);
}

function item(question, right, others) {
  const choices = shuffled([right, ...shuffled(others).slice(0, 3)]);
  return { question, choices, label: choices.indexOf(right) };
}

function word(pairs, sentence) {
  const [from, right] = pairs[random(pairs.length)];
  return item(
    sentence(from),
    right,
    pairs.map(([, to]) => to).filter((to) => to !== right),
  );
}

function sum() {
  const [a, b] = [1 + random(20), 1 + random(20)];
  const others = Array.from({ length: 39 }, (_, index) => index + 2).filter((each) => each !== a + b);
  return item(`${a} + ${b} =`, `${a + b}`, others.map(String));
}

const kinds = [
  () => word(capitals, (country) => `The capital of ${country} is`),
  () => word(opposites, (adjective) => `The opposite of ${adjective} is`),
  sum,
];
const folder = path.resolve(process.argv[2] ?? ".");
mkdirSync(folder, { recursive: true });
const lines = Array.from({ length: items }, (_, index) => JSON.stringify(kinds[index % kinds.length]()));
const file = path.join(folder, "infernode_mc.jsonl");
writeFileSync(file, `${lines.join("\n")}\n`);
const task = `task: infernode_mc
dataset_path: json
dataset_kwargs:
  data_files: ${file}
test_split: train
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: label
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
`;
writeFileSync(path.join(folder, "infernode_mc.yaml"), task);
