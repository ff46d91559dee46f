// Results as text: lines for the terminal while a group is measured, Markdown for docs/benchmarks.md.
import { barText, missedBars } from "../bars.mjs";
import { number, table } from "../report.mjs";
import { agreementText, isOther } from "./texts.mjs";

const named = (ratio, workload) => ({ ...ratio, what: `${workload.title}: ${ratio.above} / ${ratio.below}` });

export const barsOfResults = (results) =>
  results.flatMap(({ workloads }) =>
    workloads.flatMap((workload) =>
      workload.ratios.filter(({ atLeast }) => atLeast !== undefined).map((ratio) => named(ratio, workload)),
    ),
  );

// Sentences about what was not measured, or not as it should be.
export function remarksOf(results) {
  return results.flatMap((result) => [
    ...result.contenders
      .filter(({ failure }) => failure !== undefined)
      .map(({ name, failure }) => `${result.id}: ${name} is missing: ${firstLine(failure)}`),
    ...(result.failure === undefined ? [] : [`${result.id}: ${firstLine(result.failure)}`]),
    ...(result.isComplete || result.failure !== undefined
      ? []
      : [`${result.id}: broken off before its end.`]),
    ...(result.isQuick ? [`${result.id}: a short try; its figures mean nothing.`] : []),
    ...result.texts
      .filter(isOther)
      .map(
        (text) =>
          `${result.id}: ${text.peer} computes another text than ${text.ours}: ${agreementText(text)}.`,
      ),
  ]);
}

const firstLine = (text) => text.split("\n")[0];

export function workloadLines({ workloads }) {
  const workload = workloads.at(-1);
  if (workload === undefined) return [];
  const speeds = Object.entries(workload.medians).map(([name, value]) => `${name} ${number(value)}`);
  return [
    `${workload.title}: ${speeds.join(", ")} tokens/s`,
    ...workload.ratios.map((ratio) => {
      const bar =
        ratio.atLeast === undefined
          ? ""
          : `, bar ${barText(ratio)}${missedBars([ratio]).length > 0 ? " MISSED" : ""}`;
      return `  ${ratio.above} / ${ratio.below}: ${number(ratio.value, 3)}${bar}`;
    }),
  ];
}

// All results as one section: a table for each peer, then what the figures were taken with.
export function documentText(results) {
  const titles = [...new Set(results.flatMap(rowsOf).map(({ peer }) => peer))];
  return [
    ...headOf(results),
    ...titles.flatMap((title) => [
      `### ${title}`,
      ratioTable(results.flatMap(rowsOf).filter(({ peer }) => peer === title)),
    ]),
    "### Greedy texts",
    textTable(results),
    "### Loading and memory",
    "From the start of the process until it takes requests, the file in the page cache; memory after the workloads, pages of the model's file included.",
    memoryTable(results),
    "### What took part",
    versionTable(results),
    ...remarks(results),
  ].join("\n\n");
}

function headOf(results) {
  const machines = [...new Map(results.map(({ machine }) => [JSON.stringify(machine), machine])).values()];
  const dates = [...new Set(results.map(({ date }) => date))].sort();
  const busiest = Math.max(0, ...results.flatMap(({ workloads }) => workloads.map((each) => each.busiest)));
  const [{ threads, rounds }] = results;
  const isa = [...new Set(results.map((result) => result.isa).filter((each) => each !== undefined))];
  return [
    `\`npm run bench:peers\`, ${dates.join(" and ")}; ${threads} threads each; medians of ${rounds} alternated rounds; before a measurement others used ${Math.round(busiest * 100)} % at most.`,
    ...machines.map(
      (machine) =>
        `${machine.description} (kernel ${machine.kernel}); llama.cpp ${machine.llamaCpp}; instructions ${machine.instructions.join(" ")}; kernels of our own: ${machine.kernels.join("; ") || "none"}.`,
    ),
    ...(isa.length === 0 ? [] : [`Restricted to ${isa.join(", ")}.`]),
    "Decoding: prompts of 16 tokens handed over at once, 128 new tokens each, greedy; generated tokens over the time until the last one, reading the prompts included. A prompt: its tokens over the time until the one token after it. Ratios are medians of the ratios within rounds.",
  ];
}

function rowsOf({ contenders, workloads }) {
  const facts = new Map(contenders.map((each) => [each.name, each]));
  return workloads.flatMap((workload) =>
    workload.ratios.map((ratio) => ({
      peer: peerTitle(facts.get(ratio.above), facts.get(ratio.below)),
      ratio,
      workload,
      above: facts.get(ratio.above),
      below: facts.get(ratio.below),
    })),
  );
}

const peerTitle = (above, below) =>
  above.title === below.title ? `Other types beside ${below.weights}` : `Beside ${below.title}`;

function ratioTable(rows) {
  const [{ above, below }] = rows;
  const [left, right] =
    above.title === below.title ? ["this type", below.weights] : [above.title, below.title];
  const body = rows.map((row) => [
    row.above.weights === row.below.weights || left === "this type"
      ? row.above.weights
      : `${row.above.weights}; theirs ${row.below.weights}`,
    row.workload.title,
    number(row.workload.medians[row.ratio.above]),
    number(row.workload.medians[row.ratio.below]),
    number(row.ratio.value, 2),
    row.ratio.atLeast === undefined ? "-" : barText(row.ratio),
  ]);
  return table(["weights", "load", `${left}, tokens/s`, `${right}, tokens/s`, "ratio", "bar"], body);
}

function textTable(results) {
  const rows = results.flatMap(({ texts }) =>
    texts.map((text) => [text.ours, text.peer, agreementText(text)]),
  );
  return rows.length === 0 ? "None were compared." : table(["one", "other", "agreement"], unique(rows));
}

function memoryTable(results) {
  const rows = results.flatMap(({ contenders }) =>
    contenders
      .filter(({ loadMs }) => loadMs !== undefined)
      .map(({ name, loadMs, memoryBytes }) => [
        name,
        number(loadMs / 1000, 2),
        memoryBytes === undefined ? "-" : number(memoryBytes / 2 ** 20, 0),
      ]),
  );
  return table(["engine, weights", "load, s", "memory, MiB"], rows);
}

function versionTable(results) {
  const rows = results.flatMap(({ contenders }) =>
    contenders
      .filter(({ version }) => version !== "not started")
      .map(({ title, version, settings }) => [title, version, settings]),
  );
  return table(["engine", "version", "how it is used"], unique(rows));
}

const unique = (rows) => [...new Map(rows.map((row) => [JSON.stringify(row), row])).values()];

function remarks(results) {
  const sentences = remarksOf(results);
  return sentences.length === 0 ? [] : ["### Missing", sentences.map((each) => `- ${each}`).join("\n")];
}
