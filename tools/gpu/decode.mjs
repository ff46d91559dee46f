// Tokens/s of many requests on a model of 8B shape, counted while all of them decode, beside
// llama-batched-bench on the same file, and the share of what the memory's bandwidth and the
// matrix rate of this GPU allow (planModel()). Both take turns, round by round.
import { devices, planModel } from "infernode";
import { median } from "../bench/statistics.mjs";
import { batchedBench, programIn } from "./batched-bench.mjs";
import { ensureModelFile } from "./model-file.mjs";
import { withEngine, withModel } from "./opened.mjs";
import { stepTimes } from "./steps.mjs";

const kBar = 0.97; // of llama-batched-bench
const kRounds = 2;
const kTurns = 4;
const kLeastSteps = 16;
const contextLength = 256;
const promptTokens = 16;
const newTokens = 128;

const request = {
  prompt: Array.from({ length: promptTokens }, (_, index) => 10 + index),
  temperature: 0,
  ignoreEos: true,
  cache: false,
};

/** Again where all tokens came at once: this process got no time while the engine computed them. */
async function measure(engine, width) {
  for (let turn = 1; ; turn += 1) {
    const figure = await measureOnce(engine, width);
    if (stepsOf(figure) >= kLeastSteps) return figure;
    if (turn === kTurns) throw new Error(`${width} at once: ${turn} runs were too short to be measured`);
  }
}

/** Tokens that arrive from when all requests have begun until the first one ends, by their time. */
async function measureOnce(engine, width) {
  const all = (work) => Promise.all(Array.from({ length: width }, work));
  await all(() => engine.generate({ ...request, maxTokens: 4 }));
  const steady = { begun: 0, since: Number.NaN, until: Number.NaN, tokens: 0, over: false };
  let before = engine.stats();
  let after = before;
  await all(async () => {
    let begun = false;
    for await (const event of engine.generate({ ...request, maxTokens: newTokens })) {
      if (event.type !== "text-delta") continue;
      if (steady.begun === width && !steady.over) {
        steady.tokens += event.tokens.length;
        steady.until = performance.now();
      }
      if (begun) continue;
      begun = true;
      steady.begun += 1;
      if (steady.begun < width) continue;
      steady.since = performance.now();
      before = engine.stats();
    }
    if (!steady.over) after = engine.stats();
    steady.over = true;
  });
  const wallMs = steady.until - steady.since;
  return { tokensPerSecond: (steady.tokens * 1000) / wallMs, wallMs, before, after };
}

/** The plan's row for this device: of a GPU the longest name that its description holds. */
function rowFor({ rows }, description) {
  const known = rows.filter(({ device }) => description.includes(device));
  return known.sort((one, other) => other.device.length - one.device.length)[0];
}

async function ceilingOf(file, width, isCpu, description) {
  const plan = await planModel(file, { slots: width, contextLength, measureCpu: isCpu });
  const row = rowFor(plan, isCpu ? "this CPU" : description);
  return row?.tokensPerSecond?.ceiling ?? null;
}

async function measureOurs(file, widths, { device, hasTime, say }) {
  return withModel(file, { device }, async (model) => {
    const rows = [];
    for (const width of widths) {
      if (!hasTime()) break;
      const shape = { slots: width, contextLength };
      const row = await withEngine(model, shape, (engine) => measure(engine, width));
      say(`${width} at once: ${row.tokensPerSecond.toFixed(1)} tokens/s`);
      rows.push({ width, ...row });
    }
    return { places: model.info.devices, rows };
  });
}

async function runRounds(file, widths, options) {
  const { device, reference, hasTime, say, small } = options;
  const program = programIn(reference, "llama-batched-bench");
  if (program === null) say("beside nothing: --reference names no folder of llama.cpp's programs");
  const rounds = [];
  for (let round = 0; round < (small ? 1 : kRounds) && hasTime(); round += 1) {
    const ours = await measureOurs(file, widths, options);
    const task = { model: file, device, widths, promptTokens, newTokens };
    const theirs = program === null || !hasTime() ? {} : await batchedBench(program, task);
    say(`llama-batched-bench: ${JSON.stringify(theirs)}`);
    rounds.push({ ours, theirs });
  }
  return rounds;
}

/** One width over all rounds: medians, and the median of the ratios within rounds. */
function rowOf(width, rounds, ceiling) {
  const found = rounds.flatMap(({ ours, theirs }) => {
    const row = ours.rows.find((each) => each.width === width);
    return row === undefined ? [] : [{ row, theirs: theirs[width] }];
  });
  const last = found.at(-1).row;
  const tokensPerSecond = median(found.map(({ row }) => row.tokensPerSecond));
  const beside = found.filter(({ theirs }) => theirs !== undefined);
  const floorMs = ceiling === null ? null : (1000 * width) / ceiling;
  return {
    width,
    tokensPerSecond,
    theirs: beside.length === 0 ? null : median(beside.map(({ theirs }) => theirs)),
    ratio: beside.length === 0 ? null : median(beside.map(({ row, theirs }) => row.tokensPerSecond / theirs)),
    ceiling,
    share: ceiling === null ? null : tokensPerSecond / ceiling,
    step: stepTimes(last.before, last.after, last.wallMs, floorMs),
    graphsReused: (last.after.graphsReused - last.before.graphsReused) / stepsOf(last),
  };
}

const stepsOf = ({ before, after }) => after.decodePasses - before.decodePasses;

export async function check(options) {
  const { small, say } = options;
  const file = ensureModelFile(small ? "small" : "large");
  const rounds = await runRounds(file, small ? [1, 8] : [1, 8, 32, 64, 128], options);
  const { places } = rounds[0].ours;
  const isCpu = places[0].name === "CPU";
  const description = devices().find(({ name }) => name === places[0].name)?.description ?? "";
  const rows = [];
  for (const { width } of rounds[0].ours.rows) {
    const row = rowOf(width, rounds, await ceilingOf(file, width, isCpu, description));
    say(`${width} at once: ${summary(row)}`);
    rows.push(row);
  }
  const compared = rows.filter(({ ratio }) => ratio !== null);
  const bars = compared.map(({ width, ratio }) => ({
    what: `${width} at once: infernode / llama-batched-bench`,
    value: ratio,
    atLeast: kBar,
  }));
  // A dry run's speed is no figure.
  return { result: { model: file, description, places, rows }, bars: small ? [] : bars };
}

const percent = (share) => (share === null ? "unknown" : `${(share * 100).toFixed(0)} %`);

const summary = ({ ratio, share, step }) =>
  `${ratio === null ? "-" : ratio.toFixed(3)} of llama-batched-bench, ${percent(share)} of the ceiling, ` +
  `next: ${step.next} (${step.parts[step.next].toFixed(3)} of ${step.stepMs.toFixed(3)} ms)`;
