// This checkout beside another one, both built (`npm run build`): decoding, whole requests under traffic, and
// both KV layouts, every run in a fresh process, alternated. Whether a change costs speed.
//   npm run bench -- versions --before FOLDER
import { existsSync } from "node:fs";
import path from "node:path";
import { barText } from "./bars.mjs";
import { decodeContender, tokensPerSecond } from "./decode.mjs";
import { BenchFailure } from "./failure.mjs";
import { cpuPerToken, layouts, oneThread } from "./layouts.mjs";
import { places, root } from "./places.mjs";
import { number, table } from "./report.mjs";
import { medianOf, medianRatio, runRounds } from "./rounds.mjs";
import { burst, conversations, halfIdle, inTurn, longPrompt, sharedPrefix } from "./scenarios.mjs";
import { contenderOf, throughput } from "./traffic.mjs";

const before = "before";
const after = "after";
const least = 0.98;

const traffic = [
  inTurn(16),
  burst(8),
  burst(32),
  halfIdle(),
  sharedPrefix(4),
  sharedPrefix(16),
  longPrompt(),
];
const underLayouts = [burst(8), halfIdle(8), sharedPrefix(4), conversations(4)];

export const title = "Versions";

export async function measure(options) {
  const folders = { [before]: enginesOf(options.before), [after]: places.engines };
  const measured = async (what, unit, pick, contenderIn) => {
    const contenders = Object.entries(folders).map(([name, engines]) => contenderIn(name, engines));
    return { what, unit, pick, ...(await runRounds(contenders, options)) };
  };
  const rows = [];
  for (const sequences of options.sequences) {
    const contender = (name, engines) => decodeContender(sequences, options, name, engines);
    rows.push(await measured(`decode, ${sequences} at once`, "tokens/s", tokensPerSecond, contender));
  }
  for (const scenario of traffic) {
    const contender = (name, engines) =>
      contenderOf(scenario, options, engines)(name, "traffic-infernode.mjs");
    rows.push(await measured(scenario.name, "tokens/s", throughput, contender));
  }
  for (const scenario of underLayouts) {
    for (const kvLayout of layouts) {
      const engine = { ...options.engine, ...oneThread, kvLayout };
      const contender = (name, engines) =>
        contenderOf(scenario, { ...options, engine }, engines)(name, "traffic-infernode.mjs");
      const tokensPerCpuMs = (figure) => 1 / cpuPerToken(figure);
      rows.push(
        await measured(`${scenario.name}, ${kvLayout}`, "tokens per CPU ms", tokensPerCpuMs, contender),
      );
    }
  }
  return { rows };
}

function enginesOf(folder) {
  if (folder === undefined)
    throw new BenchFailure("--before names the other checkout's folder, for example a git worktree.");
  const engines = path.resolve(folder, path.relative(root, places.engines));
  const product = path.resolve(folder, path.relative(root, places.product));
  for (const file of [path.join(engines, "traffic-infernode.mjs"), product])
    if (!existsSync(file))
      throw new BenchFailure(`--before ${folder}: ${file} is missing; run npm run build there.`);
  return engines;
}

const barOf = ({ what, pick, results }) => ({
  what: `${what}: after / before`,
  value: medianRatio(results, after, before, pick),
  atLeast: least,
});

export const bars = ({ rows }) => rows.map(barOf);

export function report({ rows }) {
  const figures = rows.map((row) => {
    const bar = barOf(row);
    const [old, now] = [before, after].map((name) => number(medianOf(row.results, name, row.pick), 2));
    return [row.what, row.unit, old, now, number(bar.value, 3), barText(bar)];
  });
  return [
    `60M model; medians of ${rows[0].results.length} alternated rounds.`,
    table(["load", "unit", before, after, "after / before", "bar"], figures),
  ];
}
