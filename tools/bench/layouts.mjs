// Our two KV layouts beside each other under the same traffic, every run in a fresh
// process, alternated: what `kvLayout: "auto"` is decided by (docs/decisions/0020). What
// is compared is the processor's time per generated token, on one thread: it hears
// less of the machine's other users than the clock does.
import { number, table } from "./report.mjs";
import { medianOf, medianRatio, runRounds } from "./rounds.mjs";
import { burst, conversations, halfIdle, longPrompt, sharedPrefix } from "./scenarios.mjs";
import { contenderOf } from "./traffic.mjs";

export const layouts = ["streams", "unified"];
export const oneThread = { threads: 1, samplerThreads: 1 };

const scenarios = [
  ...[1, 2, 4, 8, 16, 32].map((count) => burst(count)),
  ...[4, 8, 32].map((slots) => halfIdle(slots)),
  ...[2, 4, 8, 16].map((slots) => sharedPrefix(slots)),
  ...[2, 4, 8].map((slots) => conversations(slots)),
  longPrompt(),
];

export const title = "KV layouts";

export async function measure(options) {
  const rows = [];
  for (const scenario of scenarios) {
    const contenders = layouts.map((kvLayout) => {
      const engine = { ...options.engine, ...oneThread, kvLayout };
      return contenderOf(scenario, { ...options, engine })(kvLayout, "traffic-infernode.mjs");
    });
    rows.push({ scenario, ...(await runRounds(contenders, options)) });
  }
  return { rows };
}

export const cpuPerToken = (figure) => figure.cpuMs / figure.generated;
const passes = (figure) => figure.passesPerStep;

// Neither layout has to win: the figures say where each one does.
export const bars = () => [];

export function report({ rows }) {
  const [streams, unified] = layouts;
  const figures = rows.map(({ scenario, results }) => [
    scenario.name,
    number(medianOf(results, streams, cpuPerToken), 2),
    number(medianOf(results, unified, cpuPerToken), 2),
    number(medianRatio(results, streams, unified, cpuPerToken), 2),
    number(medianOf(results, streams, passes), 2),
    number(medianOf(results, unified, passes), 2),
  ]);
  const head = ["traffic", "streams, CPU ms per token", "one pool", "streams / pool"];
  return [
    `One thread; prefill included; medians of ${rows[0].results.length} alternated rounds.`,
    table([...head, "passes per step, streams", "one pool"], figures),
  ];
}
