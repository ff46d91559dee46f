// The client's own error: what it measures of a process that says exactly when it sent each
// token. Printed with every result of an endpoint, since a slow client looks like a slow server.
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { packageRoot } from "../package-root.js";
import { machineTime } from "./clock.js";
import { openEndpoint } from "./endpoint-target.js";
import { runRepeat } from "./load.js";
import { latencies, type RequestRecord } from "./record.js";
import { type Distribution, distribution } from "./statistics.js";
import { TargetFailure } from "./target.js";

/** What the client measures wrongly with so many streams. */
export interface Calibration {
  readonly streams: number;
  /** What the mock was told. */
  readonly told: { readonly ttftMs: number; readonly itlMs: number };
  /** Time to the first token as the client measured it, less what the mock says it took. */
  readonly ttftErrorMs: Distribution | null;
  /** As above of each gap between tokens, without its sign. */
  readonly itlErrorMs: Distribution | null;
  /**
   * From when the client sent a request to when the mock had read it: the part of ttftErrorMs that is the
   * loopback's and the mock's event loop's.
   */
  readonly requestMs: Distribution | null;
  /** How much later than told the mock sent its first tokens; counted in nothing else. */
  readonly mockLateMs: Distribution | null;
  /** What the client measured, whoever's fault. */
  readonly ttftMs: Distribution | null;
  readonly itlMs: Distribution | null;
}

/** What is measured: one stream, a hundred, a thousand. */
export const calibrationCases = [
  { streams: 1, ttftMs: 50, itlMs: 10, tokens: 32, requests: 5 }, // fewer gaps have no 99th percentile
  { streams: 100, ttftMs: 50, itlMs: 10, tokens: 16, requests: 200 },
  { streams: 1000, ttftMs: 50, itlMs: 100, tokens: 6, requests: 1000 },
] as const;

/** A number of streams, and what the mock is told. */
export type CalibrationCase = (typeof calibrationCases)[number];

/** A mock that runs in a process of its own. */
export interface Mock {
  readonly port: number;
  stop(): void;
}

/**
 * Of Node, for the mock: room for new objects, in MiB. A young process collects garbage every 3 MB for a
 * millisecond and more, and where that comes between the time that it writes into a token and the writing, it is taken
 * for this client's error.
 */
export const mockFlags: readonly string[] = ["--min-semi-space-size=64", "--max-semi-space-size=64"];

/** @throws TargetFailure (rejects) where no process can be started */
export async function startMock(): Promise<Mock> {
  const execArgv = [...process.execArgv, ...mockFlags];
  const child = fork(join(packageRoot(), "dist/bench-mock.js"), [], { stdio: "ignore", execArgv });
  const [told] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => {
      throw new TargetFailure("the process that the client calibrates itself against did not start");
    }),
  ])) as [{ readonly port: number }];
  child.unref();
  child.channel?.unref();
  return { port: told.port, stop: () => void child.kill("SIGKILL") };
}

/** Measures the mock in each of the cases; ends early, with those measured, at the signal. */
export async function calibrate(
  signal: AbortSignal,
  cases: readonly CalibrationCase[] = calibrationCases,
): Promise<readonly Calibration[]> {
  const mock = await startMock();
  try {
    const measured: Calibration[] = [];
    for (const each of cases) {
      if (signal.aborted) break;
      const calibration = await calibrationOf(each, mock.port, signal);
      if (!signal.aborted) measured.push(calibration);
    }
    return measured;
  } finally {
    mock.stop();
  }
}

async function calibrationOf(
  { streams, ttftMs, itlMs, tokens, requests }: CalibrationCase,
  port: number,
  signal: AbortSignal,
): Promise<Calibration> {
  const url = new URL(`http://127.0.0.1:${port}/ttft-${ttftMs}/itl-${itlMs}/v1`);
  const options = {
    ...{ url, api: "completions" as const, apiKey: undefined, model: "mock", ignoreEos: false, pollMs: 1 },
  };
  const target = await openEndpoint(options, signal);
  const ask = {
    ...{ content: { prompt: "Hello" }, outputTokens: tokens, temperature: 0, seed: 0 },
    ...{ turn: null, cancelAt: null, answered: () => {} },
  };
  const answers: Answer[] = [];
  try {
    await runRepeat(
      target,
      {
        load: { type: "concurrency", concurrency: streams },
        amount: { warmup: streams, requests, seconds: undefined }, // the warm-up opens the connections
        ...{ next: () => ask, needsAnswers: false, traceMs: [], seed: "", timeoutMs: 60_000, signal },
      },
      (record, text) => {
        const [receivedAt = Number.NaN, ...sentMs] = text.trim().split(" ").map(Number);
        answers.push({ record, receivedAt, sentMs });
      },
    );
  } finally {
    await target.close();
  }
  const finished = answers.filter(({ record }) => record.outcome.type === "finished" && !record.isWarmup);
  return { streams, told: { ttftMs, itlMs }, ...errorsOf(finished, ttftMs) };
}

interface Answer {
  readonly record: RequestRecord;
  /** When the mock says it had read the request, by the machine's clock. */
  readonly receivedAt: number;
  /** When the mock says it sent each token, in milliseconds after it had the request. */
  readonly sentMs: readonly number[];
}

function errorsOf(answers: readonly Answer[], toldMs: number) {
  const ttft: number[] = [];
  const gaps: number[] = [];
  const ttftErrors: number[] = [];
  const gapErrors: number[] = [];
  const requests: number[] = [];
  const late: number[] = [];
  for (const { record, receivedAt, sentMs } of answers) {
    const { ttftMs, gapsMs } = latencies(record);
    if (ttftMs === null || sentMs.length !== gapsMs.length + 1) continue;
    ttft.push(ttftMs);
    ttftErrors.push(ttftMs - (sentMs[0] ?? Number.NaN));
    requests.push(receivedAt - machineTime(record.sentMs));
    late.push((sentMs[0] ?? Number.NaN) - toldMs);
    for (const [index, gap] of gapsMs.entries()) {
      gaps.push(gap);
      gapErrors.push(Math.abs(gap - ((sentMs[index + 1] ?? Number.NaN) - (sentMs[index] ?? Number.NaN))));
    }
  }
  return {
    ttftErrorMs: distribution(ttftErrors),
    itlErrorMs: distribution(gapErrors),
    requestMs: distribution(requests),
    mockLateMs: distribution(late),
    ttftMs: distribution(ttft),
    itlMs: distribution(gaps),
  };
}
