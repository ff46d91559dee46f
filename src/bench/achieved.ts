// What a load point's requests turned out to be, as a sentence: lengths, cached share, arrivals and
// cancelled requests as they were measured, whatever the options asked for. Pure.
import type { RepeatFigures } from "./figures.js";
import { digits, loadText } from "./load-text.js";
import type { PointResult } from "./point.js";
import { type Distribution, mean } from "./statistics.js";

/** Nothing of a point of which no request finished. */
export function achievedLine({ load, repeats }: PointResult): readonly string[] {
  const parts = [
    ...lengths(
      "prompts",
      over(repeats, ({ tokens }) => tokens.promptTokens),
    ),
    ...lengths(
      "answers",
      over(repeats, ({ tokens }) => tokens.outputTokens),
    ),
    ...share(over(repeats, ({ tokens }) => tokens.cachedPromptShare)),
    ...turns(over(repeats, (repeat) => repeat.turns)),
    ...(load.type === "concurrency" ? [] : arrivals(repeats)),
    ...abandoned(repeats),
  ];
  return parts.length === 0 ? [] : [`Achieved at ${loadText(load)}: ${parts.join("; ")}.`];
}

function over<Value>(
  repeats: readonly RepeatFigures[],
  value: (repeat: RepeatFigures) => Value | null,
): readonly Value[] {
  return repeats.map(value).filter((each) => each !== null);
}

/** Percentiles are means of the repeats' own. */
function lengths(name: string, each: readonly Distribution[]): readonly string[] {
  if (each.length === 0) return [];
  const figure = (of: "p50" | "p99") => mean(each.map((one) => one[of])).toFixed(0);
  return [`${name} of ${figure("p50")} tokens (p50; p99 ${figure("p99")})`];
}

function share(each: readonly number[]): readonly string[] {
  return each.length === 0 ? [] : [`${(100 * mean(each)).toFixed(0)} % of prompt tokens from a cache`];
}

function turns(each: readonly Distribution[]): readonly string[] {
  if (each.length === 0) return [];
  const most = Math.max(...each.map(({ max }) => max));
  return [
    `request ${digits(mean(each.map((one) => one.mean)))} of its conversation on average, ${most} at most`,
  ];
}

function arrivals(repeats: readonly RepeatFigures[]): readonly string[] {
  const rates = over(repeats, (repeat) => repeat.arrivals.ratePerSecond);
  const variations = over(repeats, (repeat) => repeat.arrivals.gapVariation);
  if (rates.length === 0 || variations.length === 0) return [];
  return [`${digits(mean(rates))} requests sent per second, gaps varying by ${digits(mean(variations))}`];
}

function abandoned(repeats: readonly RepeatFigures[]): readonly string[] {
  const sum = (value: (repeat: RepeatFigures) => number) =>
    repeats.reduce((all, each) => all + value(each), 0);
  const count = sum(({ requests }) => requests.abandoned);
  if (count === 0) return [];
  const sent = sum(({ requests }) => requests.sent);
  const tokens = sum((repeat) => repeat.tokens.abandonedOutputTokens);
  return [`${count} of ${sent} requests cancelled after ${tokens} tokens in all, which count in no rate`];
}
