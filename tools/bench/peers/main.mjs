// `npm run bench:peers -- [options] [GROUP...]`: ours beside its peers, with the same weights, threads and
// work, in turns. Prints ratios as they come and writes one JSON file a group.
//   --list             names the groups of plan.mjs, the most important first
//   --prepare          fetches and builds everything the groups need, measures nothing
//   --out FOLDER       of the JSON files (.build/bench/peers)
//   --store FOLDER     of packages, virtual environments and models (.build/peers)
//   --programs FOLDER  of llama.cpp's programs that are built already
//   --rounds N         rounds of each workload (5)
//   --threads N        threads of everybody (the CPUs this process may use)
//   --minutes N        nothing is begun later than that
//   --patience S       before a measurement, seconds to wait for a quiet machine (0)
//   --start-seconds N  that a server may take until it answers (300): vLLM compiles its graphs first
//   --isa avx2         OpenVINO restricted to it; --native names our files built for it
//   --native FOLDER    our native files, in place of this clone's
//   --quick            a second's work each, to see that everything runs
//   --report           no measuring: tables of the JSON files in --out; --write puts them into
//                      docs/benchmarks.md
//   --check            exit with 1 where a bar was missed
// Exits with 1 where a contender is missing, failed, or computed another text.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { missedBars, verdict } from "../bars.mjs";
import { BenchFailure } from "../failure.mjs";
import { usableCpus } from "../machine.mjs";
import { places } from "../places.mjs";
import { writeSection } from "../report.mjs";
import { contenders } from "./contenders.mjs";
import { readMachine } from "./machine.mjs";
import { measureGroup } from "./measure.mjs";
import { groups } from "./plan.mjs";
import { barsOfResults, documentText, remarksOf, workloadLines } from "./tables.mjs";
import { ensureWeights } from "./weights.mjs";

const known = {
  list: { type: "boolean", default: false },
  prepare: { type: "boolean", default: false },
  out: { type: "string", default: path.join(places.models, "peers") },
  store: { type: "string", default: places.peers },
  programs: { type: "string" },
  rounds: { type: "string", default: "5" },
  threads: { type: "string", default: String(usableCpus()) },
  minutes: { type: "string" },
  patience: { type: "string", default: "0" },
  "start-seconds": { type: "string", default: "300" },
  isa: { type: "string" },
  native: { type: "string" },
  quick: { type: "boolean", default: false },
  report: { type: "boolean", default: false },
  write: { type: "boolean", default: false },
  check: { type: "boolean", default: false },
};

const say = (text) => process.stdout.write(`${text}\n`);

function count(name, text, most = 1000) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new BenchFailure(`--${name} takes a whole number from 1 to ${most}, got "${text}".`);
}

function readOptions() {
  const { values, positionals } = parseArgs({ options: known, allowPositionals: true });
  const unknown = positionals.find((id) => !groups.some((group) => group.id === id));
  if (unknown !== undefined) {
    throw new BenchFailure(`There is no group "${unknown}"; --list names them.`);
  }
  if (values.isa !== undefined && values.isa !== "avx2") {
    throw new BenchFailure(`--isa takes avx2, got "${values.isa}".`);
  }
  if (values.isa !== undefined && values.native === undefined) {
    throw new BenchFailure("--isa restricts the peers; name our native files for it with --native FOLDER.");
  }
  const absolute = (folder) => (folder === undefined ? undefined : path.resolve(folder));
  return {
    ...values,
    chosen: positionals.length === 0 ? groups : groups.filter(({ id }) => positionals.includes(id)),
    out: absolute(values.out),
    store: absolute(values.store),
    programs: absolute(values.programs),
    native: absolute(values.native),
    rounds: count("rounds", values.rounds),
    threads: count("threads", values.threads, usableCpus()),
    patience: values.patience === "0" ? 0 : count("patience", values.patience),
    minutes: values.minutes === undefined ? Number.POSITIVE_INFINITY : count("minutes", values.minutes),
    startMs: count("start-seconds", values["start-seconds"], 3600) * 1000,
    isQuick: values.quick,
  };
}

// Everything once, so that nothing is fetched or built while others are measured.
async function prepare({ chosen, ...setting }) {
  let isWhole = true;
  const wanted = new Map(chosen.flatMap(({ of }) => of.map((each) => [JSON.stringify(each), each])));
  for (const { contender, weights } of wanted.values()) {
    try {
      await contenders[contender].prepare?.(setting);
      const { file } = await ensureWeights(weights, setting.store, setting.programs);
      say(`${contender}, ${weights}: ${path.basename(file)}`);
    } catch (error) {
      isWhole = false;
      say(`${contender}, ${weights}: missing: ${error.message}`);
    }
  }
  return isWhole ? 0 : 1;
}

async function measure(options) {
  const { chosen, minutes, out, ...rest } = options;
  mkdirSync(out, { recursive: true });
  const began = performance.now();
  const deadline = began + minutes * 60_000;
  const setting = { ...rest, machine: readMachine(options), deadline, onFigure: tell };
  const results = [];
  for (const group of chosen) {
    if (performance.now() > deadline) {
      say(`${group.id}: not measured, ${minutes} minutes are over.`);
      continue;
    }
    say(`\n${group.id} (minute ${((performance.now() - began) / 60_000).toFixed(1)})`);
    results.push(await measureGroup(group, setting, progressOf(out)));
  }
  return conclude(results, options);
}

// Keeps the file as new as what is printed.
function progressOf(folder) {
  let told = 0;
  return (result) => {
    save(folder, result);
    if (result.workloads.length > told) say(workloadLines(result).join("\n"));
    told = result.workloads.length;
  };
}

function tell(round, contender, figure) {
  if (figure !== undefined) process.stderr.write(`round ${round + 1}: ${contender}: ${figure.toFixed(1)}\n`);
}

function save(folder, result) {
  const file = path.join(folder, `${result.id}${result.isa === undefined ? "" : `-${result.isa}`}.json`);
  writeFileSync(`${file}.partial`, `${JSON.stringify(result, null, 1)}\n`);
  renameSync(`${file}.partial`, file);
}

function conclude(results, { check }) {
  const bars = barsOfResults(results);
  const remarks = remarksOf(results.map((result) => ({ ...result, isQuick: false })));
  say(`\n${verdict(bars)}`);
  for (const remark of remarks) say(remark);
  return remarks.length > 0 || (check && missedBars(bars).length > 0) ? 1 : 0;
}

// In the order of the plan; groups that were not measured are named.
function report({ out, chosen, write }) {
  const files = readdirSync(out).filter((name) => name.endsWith(".json"));
  const read = files.map((name) => JSON.parse(readFileSync(path.join(out, name), "utf8")));
  const results = chosen.flatMap(({ id }) => read.filter((result) => result.id === id));
  if (results.length === 0) throw new BenchFailure(`${out} has no results of these groups.`);
  const quick = results.find((result) => result.isQuick);
  if (write && quick !== undefined) {
    throw new BenchFailure(`${quick.id} was measured with --quick: its figures are for no document.`);
  }
  const absent = chosen.filter(({ id }) => !results.some((result) => result.id === id)).map(({ id }) => id);
  const text = documentText(results);
  const whole = absent.length === 0 ? text : `${text}\n\nNot measured: ${absent.join(", ")}.`;
  say(whole);
  if (write) writeSection("peers", whole);
  process.stderr.write(`${verdict(barsOfResults(results))}\n`);
  return 0;
}

async function main() {
  const options = readOptions();
  if (options.list) {
    say(groups.map(({ id }) => id).join("\n"));
    return 0;
  }
  if (options.prepare) return prepare(options);
  return options.report ? report(options) : measure(options);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = 1;
  const ours = error instanceof BenchFailure || error.code?.startsWith("ERR_PARSE_ARGS");
  process.stderr.write(`${ours ? `infernode: ${error.message}` : error.stack}\n`);
}
