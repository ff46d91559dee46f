// `infernode bench compare` judged by runs whose truth is known. The server is the mock of the client's
// calibration, a process of its own that is told its times; each round runs the command line three times,
// twice against the same times and once against times that are 5 % longer, and compares the second and the
// third with the first. Every run has its own seed, and the mock's times spread by a tenth, so that nothing
// is equal but what is to be called equal.
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { barText } from "./bars.mjs";
import { jsonResults } from "./child.mjs";
import { waitForQuiet } from "./machine.mjs";
import { benchUrl, startMock } from "./mock.mjs";
import { places } from "./places.mjs";
import { number, table } from "./report.mjs";
import { median } from "./statistics.mjs";

const kTtftMs = 50;
const kItlMs = 10;
const kNoise = 0.1;
const kSlowdown = 1.05;
const kRule = "out_tok_s<-3%";
// Eight short repeats: machines that others use disturb some of them, and the rest must be enough.
const kRun = ["--concurrency", "4", "--requests", "16", "--output-tokens", "16", "--repeats", "8"];

export const title = "Self-compare";

export async function measure({ rounds, patience, onFigure }) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "infernode-self-compare-"));
  const mock = await startMock();
  const results = [];
  let busiest = 0;
  try {
    for (let round = 0; round < rounds; round += 1) {
      busiest = Math.max(busiest, (await waitForQuiet(patience)) || 0);
      const figures = await measureRound(mock.url, folder, round);
      results.push(figures);
      onFigure(round, "same", figures.same.flagged.join(" ") || "nothing");
      onFigure(round, "slower", figures.slower.flagged.join(" ") || "nothing");
    }
  } finally {
    mock.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return { rows: [{ results, busiest }] };
}

async function measureRound(url, folder, round) {
  const runs = [
    { name: "first", slowness: 1 },
    { name: "second", slowness: 1 },
    { name: "slower", slowness: kSlowdown },
  ];
  for (const [index, { name, slowness }] of runs.entries())
    await run(urlAt(url, slowness), 3 * round + index, path.join(folder, `${name}.json`));
  const compared = (other) => compare(path.join(folder, "first.json"), path.join(folder, other));
  return { same: await compared("second.json"), slower: await compared("slower.json") };
}

const urlAt = (url, slowness) => url({ ttftMs: kTtftMs * slowness, itlMs: kItlMs * slowness, noise: kNoise });

const run = (url, seed, file) =>
  benchUrl(url, ["--api", "completions", ...kRun, "--seed", String(seed), "--no-calibrate"], file);

// What changed by the file's verdicts, and whether a rule of continuous integration is broken.
async function compare(before, after) {
  // Answers hold the times at which they were sent, and differ.
  const args = [places.commandLine, "bench", "compare", before, after, "--allow", "answers", "--json"];
  const [{ changes }] = await jsonResults(process.execPath, args);
  const flagged = changes
    .filter(({ verdict }) => verdict === "better" || verdict === "worse")
    .map(({ metric }) => metric);
  const judged = changes.find(({ metric }) => metric === "out_tok_s");
  return { flagged, change: judged.change, isBroken: judged.verdict === "worse" && judged.change < -0.03 };
}

const isFlagged = ({ flagged }) => flagged.length > 0;
const isWorse = ({ flagged }) => flagged.includes("out_tok_s");

function figuresOf({ results }) {
  const count = (of) => results.filter(of).length;
  const rounds = results.length;
  const bar = { unit: `of ${rounds}` };
  return [
    {
      what: "a run with itself: any figure flagged",
      value: count(({ same }) => isFlagged(same)),
      ...{ atMost: Math.floor(rounds / 20), ...bar },
    },
    {
      what: `a run with itself: --fail-on "${kRule}" broken`,
      value: count(({ same }) => same.isBroken),
      ...{ atMost: Math.floor(rounds / 20), ...bar },
    },
    {
      what: "a run with one 5 % slower: out_tok_s flagged",
      value: count(({ slower }) => isWorse(slower)),
      ...{ atLeast: Math.ceil((rounds * 19) / 20), ...bar },
    },
    {
      what: `a run with one 5 % slower: --fail-on "${kRule}" broken`,
      value: count(({ slower }) => slower.isBroken),
      ...{ atLeast: Math.ceil((rounds * 19) / 20), ...bar },
    },
  ];
}

export const bars = ({ rows }) => rows.flatMap(figuresOf);

export function report({ rows }) {
  const [{ results }] = rows;
  const change = (of) => number(100 * median(results.map((each) => of(each).change)), 2);
  return [
    `The calibration's mock, TTFT ${kTtftMs} ms and ITL ${kItlMs} ms, each time with a deviation of a tenth; runs of 8 repeats with 16 requests at concurrency 4, each with its own seed. Median change of out_tok_s: ${change(({ same }) => same)} % and ${change(({ slower }) => slower)} %.`,
    table(
      ["comparisons", "flagged", "bar"],
      figuresOf(rows[0]).map((bar) => [bar.what, String(bar.value), barText(bar)]),
    ),
  ];
}
