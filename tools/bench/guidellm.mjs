// GuideLLM's own mock server measured by `infernode bench` and by GuideLLM, in turns: which of them comes
// nearer to what the mock was told. It needs GuideLLM 0.8.1 (pip install guidellm==0.8.1), whose program
// --guidellm names.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { barText } from "./bars.mjs";
import { runQuietly, startProgram } from "./child.mjs";
import { BenchFailure } from "./failure.mjs";
import { benchUrl } from "./mock.mjs";
import { root } from "./places.mjs";
import { number, table } from "./report.mjs";
import { medianOf, runRounds } from "./rounds.mjs";

const kTold = { ttftMs: 200, itlMs: 20 };
const kStreams = 8;
const kSeconds = 10;
const kPromptTokens = 64;
const kOutputTokens = 32;
const kPort = 8126;
const kAddress = `http://127.0.0.1:${kPort}`;
const kStartSeconds = 120; // Python imports for long on a busy machine
const kTokenizer = path.join(root, "test/fixtures/checkpoints/llama-f16"); // for GuideLLM's prompts
const kOurs = "infernode bench";
const kTheirs = "GuideLLM 0.8.1";

export const title = "GuideLLM's mock server";

export async function measure({ guidellm, ...options }) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "infernode-guidellm-"));
  const stop = await startTheirMock(guidellm);
  try {
    const file = path.join(folder, "run.json");
    const contenders = [
      { name: kOurs, measure: () => measureOurs(file) },
      { name: kTheirs, measure: () => measureTheirs(guidellm, file) },
    ];
    const onFigure = (round, name, { ttft }) =>
      options.onFigure(round, `${name}, first token p50, ms`, ttft.p50);
    return { rows: [await runRounds(contenders, { ...options, onFigure })] };
  } finally {
    stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function startTheirMock(guidellm) {
  const times = ["--ttft-ms", String(kTold.ttftMs), "--itl-ms", String(kTold.itlMs)];
  const child = startProgram(guidellm, [
    ...["mock-server", "--host", "127.0.0.1", "--port", String(kPort)],
    ...[...times, "--model", "m"],
  ]);
  const stop = () => child.kill("SIGKILL");
  for (let waited = 0; waited < kStartSeconds; waited += 1) {
    if (child.failure !== null) break;
    const answer = await fetch(`${kAddress}/v1/models`).catch(() => null);
    if (answer?.ok) return stop;
    await sleep(1000);
  }
  stop();
  throw new BenchFailure(
    `GuideLLM's mock server did not start (${child.failure ?? "no answer"}): install it with "pip install guidellm==0.8.1" and name its program with --guidellm.`,
  );
}

// GuideLLM's time between tokens is the mean of a request, which is what ours calls tpotMs.
async function measureOurs(file) {
  const lengths = ["--prompt-tokens", String(kPromptTokens), "--output-tokens", String(kOutputTokens)];
  const load = ["--concurrency", String(kStreams), "--duration", String(kSeconds), "--repeats", "1"];
  const { points } = await benchUrl(kAddress, [...lengths, ...load, "--no-calibrate"], file);
  const [{ latency, requests }] = points[0].repeats;
  return { ttft: latency.ttftMs, itl: latency.tpotMs, requests: requests.finished };
}

async function measureTheirs(guidellm, file) {
  await runQuietly(
    guidellm,
    [
      ...["run", "--backend", `kind=openai_http,target=${kAddress},model=m`],
      ...["--tokenizer", `kind=hf_auto,model=${kTokenizer}`],
      ...["--data", `kind=synthetic_text,prompt_tokens=${kPromptTokens},output_tokens=${kOutputTokens}`],
      ...["--profile", `kind=concurrent,streams=${kStreams}`],
      ...["--constraint", `kind=max_duration,seconds=${kSeconds}`],
      ...["--output", `kind=json,path=${file}`],
    ],
    { env: { HF_HUB_OFFLINE: "1", HF_DATASETS_OFFLINE: "1" } },
  );
  const { metrics } = JSON.parse(readFileSync(file, "utf8")).benchmarks[0];
  const of = (name) => {
    const { mean, median } = metrics[name].successful;
    return { mean, p50: median };
  };
  return {
    ...{ ttft: of("time_to_first_token_ms"), itl: of("inter_token_latency_ms") },
    requests: metrics.time_to_first_token_ms.successful.count,
  };
}

// A mean of a request is shorter by a 31st of how late its first token was seen. GuideLLM sees it a millisecond
// later than ours, which brings its means 0.03 ms nearer: the last row is decided by less.
const figures = [
  { name: "first token p50", told: kTold.ttftMs, of: ({ ttft }) => ttft.p50 },
  { name: "first token, mean", told: kTold.ttftMs, of: ({ ttft }) => ttft.mean },
  {
    name: "between tokens, mean of a request, p50",
    told: kTold.itlMs,
    of: ({ itl }) => itl.p50,
  },
];

// How far from what was told, as a share of it.
function distance({ results }, contender, { told, of }) {
  return Math.abs(medianOf(results, contender, of) - told) / told;
}

export const bars = ({ rows: [row] }) =>
  figures.map((figure) => ({
    what: `${figure.name}: how much farther infernode bench is from what the mock was told`,
    value: 100 * (distance(row, kOurs, figure) - distance(row, kTheirs, figure)),
    ...{ atMost: 0, unit: "%" },
  }));

export function report({ rows }) {
  const [row] = rows;
  const judged = bars({ rows });
  return [
    `GuideLLM's mock, told ${kTold.ttftMs} ms to the first token and ${kTold.itlMs} ms between tokens; ${kStreams} streams for ${kSeconds} s; medians of ${row.results.length} alternated rounds, ms.`,
    table(
      ["figure", "told", kOurs, kTheirs, "how much farther ours is, of what was told", "bar"],
      figures.map((figure, at) => [
        figure.name,
        String(figure.told),
        ...[kOurs, kTheirs].map((name) => number(medianOf(row.results, name, figure.of), 2)),
        `${number(judged[at].value, 2)} %`,
        barText(judged[at]),
      ]),
    ),
  ];
}
