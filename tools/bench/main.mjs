// `npm run bench -- NAME [options]`: runs one benchmark and prints its figures.
//   decode       tokens/s beside llama-batched-bench
//   end-to-end   whole requests beside node-llama-cpp
//   cold-start   process start to first token beside both peers
//   traffic      whole requests beside llama-server and node-llama-cpp
//   layouts      our two KV layouts beside each other
//   several-engines  engines of one process together beside one alone
//   speculation  guessing ahead beside not doing so
//   http         streams over HTTP beside the engine in process
//   storm        500 streams at once, and ten times the queue
//   jobs         the job loop on the emulated platform
//   engine-level the tables of llama-bench and llama-batched-bench beside `infernode bench engine`
//   client-error the error of `infernode bench` as a client, by its own calibration
//   guidellm     `infernode bench` beside GuideLLM, of GuideLLM's mock server
//   self-compare what `infernode bench compare` says of equal and of slower runs
//   sampler      the sampler beside llama.cpp's chain
//   versions     this checkout beside another one (--before FOLDER)
// --write puts the figures into docs/benchmarks.md. It ends with the bars that were
// missed; with --check one of them is exit code 1. See README.md.
import { parseArgs } from "node:util";
import { missedBars, verdict } from "./bars.mjs";
import { BenchFailure } from "./failure.mjs";
import { usableCpus } from "./machine.mjs";
import { saveResults, section, writeSection } from "./report.mjs";

const benchmarks = {
  decode: { file: "./decode.mjs", rounds: 5 },
  "end-to-end": { file: "./end-to-end.mjs", rounds: 5 },
  "cold-start": { file: "./cold-start.mjs", rounds: 7 },
  traffic: { file: "./traffic.mjs", rounds: 3 },
  layouts: { file: "./layouts.mjs", rounds: 3 },
  "several-engines": { file: "./several-engines.mjs", rounds: 3 },
  speculation: { file: "./speculation.mjs", rounds: 5 },
  http: { file: "./http.mjs", rounds: 5 },
  storm: { file: "./storm.mjs", rounds: 5 },
  jobs: { file: "./jobs.mjs", rounds: 3 },
  "engine-level": { file: "./engine-level.mjs", rounds: 3 },
  "client-error": { file: "./client-error.mjs", rounds: 5 },
  guidellm: { file: "./guidellm.mjs", rounds: 3 },
  "self-compare": { file: "./self-compare.mjs", rounds: 20 },
  sampler: { file: "./sampler.mjs", rounds: 1 },
  versions: { file: "./versions.mjs", rounds: 5 },
};

const known = {
  rounds: { type: "string" },
  sequences: { type: "string", default: "1,8,32" },
  threads: { type: "string", default: String(usableCpus()) },
  patience: { type: "string", default: "0" },
  engine: { type: "string", default: "{}" },
  guidellm: { type: "string", default: "guidellm" },
  before: { type: "string" },
  write: { type: "boolean", default: false },
  check: { type: "boolean", default: false },
};

function count(name, text) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new BenchFailure(`--${name} takes a whole number from 1, got "${text}".`);
}

function readOptions() {
  const { values, positionals } = parseArgs({ options: known, allowPositionals: true });
  const [name] = positionals;
  const benchmark = benchmarks[name];
  if (benchmark === undefined || positionals.length > 1) {
    throw new BenchFailure(`Name one benchmark: ${Object.keys(benchmarks).join(", ")}.`);
  }
  return {
    name,
    file: benchmark.file,
    write: values.write,
    check: values.check,
    options: {
      rounds: values.rounds === undefined ? benchmark.rounds : count("rounds", values.rounds),
      sequences: values.sequences.split(",").map((text) => count("sequences", text)),
      threads: count("threads", values.threads),
      patience: Number(values.patience),
      engine: JSON.parse(values.engine),
      guidellm: values.guidellm,
      before: values.before,
      onFigure: (round, contender, figure) => {
        const shown =
          typeof figure === "string"
            ? figure
            : (figure.decode ?? figure.tokensPerSecond ?? figure).toFixed(1);
        process.stderr.write(`round ${round + 1}: ${contender}: ${shown}\n`);
      },
    },
  };
}

// What was asked, without what changes no figure, and without this machine's paths.
function commandLine() {
  const places = { "--before": "FOLDER", "--guidellm": "PROGRAM" };
  const words = process.argv
    .slice(2)
    .map((word, at, all) => places[all[at - 1]] ?? word)
    .filter((word) => word !== "--write" && word !== "--check");
  return ["npm run bench --", ...words].join(" ");
}

// Resolves to the exit code.
async function main() {
  const { name, file, write, check, options } = readOptions();
  const { measure, report, bars, title } = await import(file);
  process.stderr.write(`${title}\n`);
  const results = await measure(options);
  saveResults(name, results);
  const text = section(report(results), {
    command: commandLine(),
    rows: results.rows,
    date: new Date().toISOString().slice(0, 10),
  });
  process.stdout.write(`${text}\n`);
  if (write) writeSection(name, text);
  const reported = bars(results);
  process.stderr.write(`${verdict(reported)}\n`);
  return check && missedBars(reported).length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = 1;
  const ours = error instanceof BenchFailure || error.code?.startsWith("ERR_PARSE_ARGS");
  process.stderr.write(`${ours ? `infernode: ${error.message}` : error.stack}\n`);
}
