// What a result's tokens cost, as sentences below its table. Pure.
import type { BenchmarkResult } from "./benchmark.js";
import type { ServerlessCost } from "./cost.js";
import { digits, loadText } from "./load-text.js";

const secondsPerHour = 3600;

/** Nothing where no price is known and nobody could have expected one. */
export function costLines({ price, points, target }: BenchmarkResult): readonly string[] {
  if (price === null) {
    const names = Array.isArray(target.gpus) ? [...new Set(target.gpus.map(String))] : [];
    return names.length === 0 ? [] : [`No price is known of ${names.join(", ")}: give --price-per-hour.`];
  }
  const { dollarsPerSecond, gpu, gpus, source } = price;
  const what = gpu === null ? "The machine" : `${gpus} x ${gpu}`;
  const perHour = digits(dollarsPerSecond * secondsPerHour);
  return [
    `${what} at $${perHour} per hour (${source}); each of $/Mtok out, in and blended divides all of it.`,
    ...points.flatMap(({ load, cost }) =>
      cost?.serverless ? [serverlessLine(loadText(load), cost.serverless)] : [],
    ),
  ];
}

function serverlessLine(name: string, serverless: ServerlessCost): string {
  const { requestsPerSecond, output, blended, alwaysOnOutput, billedShare, coldShare } = serverless;
  const { coldStartSeconds, idleTimeoutSeconds } = serverless;
  const parts = [
    `Serverless at ${name}: ${digits(requestsPerSecond * secondsPerHour)} requests per hour on one worker cost`,
    `$${digits(output)} per million output tokens${blended === null ? "" : ` ($${digits(blended)} blended)`};`,
    `${percent(billedShare)} of the time is billed, ${percent(coldShare)} of requests wait for a start of`,
    `${digits(coldStartSeconds)} s, and it stops after ${digits(idleTimeoutSeconds)} s without one;`,
    `a worker that never stops costs $${digits(alwaysOnOutput)}.`,
  ];
  return parts.join(" ");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
