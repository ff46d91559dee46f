// The error of `infernode bench` as a client: what its own calibration says, which measures a process
// that writes into each token when it sent it (docs/decisions/0049, 0071). Each round is a run of the
// command line; a figure is the median over rounds, since one round may meet a pause of the machine.
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { barText } from "./bars.mjs";
import { waitForQuiet } from "./machine.mjs";
import { benchUrl, startMock } from "./mock.mjs";
import { number, table } from "./report.mjs";
import { median } from "./statistics.mjs";

// One request beside the calibration, which is what is wanted.
const kRun = ["--api", "completions", "--concurrency", "1", "--requests", "1", "--repeats", "1"];

export const title = "Client error";

export async function measure({ rounds, patience, onFigure }) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "infernode-client-error-"));
  const mock = await startMock();
  const results = [];
  let busiest = 0;
  try {
    const url = mock.url({ ttftMs: 1, itlMs: 1 });
    for (let round = 0; round < rounds; round += 1) {
      busiest = Math.max(busiest, (await waitForQuiet(patience)) || 0);
      const { calibration } = await benchUrl(url, kRun, path.join(folder, "run.json"));
      results.push(calibration);
      for (const { streams, ttftErrorMs } of calibration)
        onFigure(round, `first token, p50 of the error at ${streams}`, ttftErrorMs.p50);
    }
  } finally {
    mock.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return { rows: [{ results, busiest }] };
}

function figure({ results }, streams, of) {
  return median(results.map((calibration) => of(calibration.find((each) => each.streams === streams))));
}

export function bars({ rows: [row] }) {
  const bar = (streams, name, percentile, atMost) => ({
    what: `${streams} streams, ${name} ${percentile}`,
    value: figure(row, streams, (each) => each[name][percentile]),
    ...{ atMost, unit: "ms" },
  });
  return [
    bar(1, "ttftErrorMs", "p50", 1),
    bar(1, "itlErrorMs", "p50", 1),
    bar(100, "ttftErrorMs", "p50", 2),
    bar(100, "itlErrorMs", "p50", 2),
    bar(100, "ttftErrorMs", "p99", 10),
    bar(100, "itlErrorMs", "p99", 10),
  ];
}

export function report({ rows }) {
  const [row] = rows;
  const cells = row.results[0].map(({ streams, told }) => [
    String(streams),
    `${told.ttftMs} / ${told.itlMs}`,
    ...["ttftErrorMs", "itlErrorMs"].flatMap((name) =>
      ["p50", "p99"].map((percentile) =>
        number(
          figure(row, streams, (each) => each[name][percentile]),
          2,
        ),
      ),
    ),
    ...["requestMs", "mockLateMs"].map((name) =>
      number(
        figure(row, streams, (each) => each[name].p99),
        2,
      ),
    ),
    ...["ttftMs", "itlMs"].map((name) =>
      number(
        figure(row, streams, (each) => each[name].p50),
        1,
      ),
    ),
  ]);
  return [
    `Times that this client measures less those that a process says it took; medians of ${row.results.length} runs, ms. The time until that process had read a request is a part of the error; how late it sent its first tokens is none of it.`,
    table(
      [
        ...["streams", "told, first token / between", "error to the first token p50", "p99"],
        ...["error between p50", "p99", "request until read p99", "that process late p99"],
        ...["measured to the first token p50", "between p50"],
      ],
      cells,
    ),
    table(
      ["figure", "ms", "bar"],
      bars({ rows }).map((bar) => [bar.what, number(bar.value, 2), barText(bar)]),
    ),
  ];
}
