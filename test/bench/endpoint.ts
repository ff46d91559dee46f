// Starts programs/endpoint.mjs for a test, and runs benchmarks of it.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { type BenchmarkResult, runBenchmark } from "../../src/bench/benchmark.js";
import { openEndpoint } from "../../src/bench/endpoint-target.js";
import { type BenchmarkOptions, judgeBenchmark } from "../../src/bench/options.js";

/** @returns its address, without a path */
export async function startEndpoint(): Promise<string> {
  const child = fork(fileURLToPath(new URL("programs/endpoint.mjs", import.meta.url)));
  onTestFinished(() => void child.kill("SIGKILL"));
  const [{ port }] = (await once(child, "message")) as [{ readonly port: number }];
  return `http://127.0.0.1:${port}`;
}

/** What the endpoint says it has answered. */
export async function countsOf(address: string): Promise<Record<string, number>> {
  return (await (await fetch(`${address}/counts`)).json()) as Record<string, number>;
}

const small = {
  concurrency: [3],
  requests: 12,
  repeats: 2,
  promptTokens: "60",
  outputTokens: "5",
  calibrate: false,
};

/** A small benchmark of an endpoint. */
export function benchEndpoint(url: string, given: BenchmarkOptions = {}): Promise<BenchmarkResult> {
  const options = judgeBenchmark({ ...small, url, ...given });
  const { api, apiKey, model, ignoreEos, pollInterval: pollMs } = options;
  return runBenchmark(options, {
    open: (limit) => openEndpoint({ url: new URL(url), api, apiKey, model, ignoreEos, pollMs }, limit),
    signal: new AbortController().signal,
  });
}
