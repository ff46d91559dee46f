// Rules such as "out_tok_s<-3%": the change of a figure from which on a comparison fails.
import { InferenceError } from "../errors.js";
import type { Change, Comparison } from "./compare.js";
import { metricNames, metrics } from "./metrics.js";

/** A rule. */
export interface FailRule {
  readonly text: string;
  readonly metric: string;
  /** Whether changes below or above the limit fail. */
  readonly side: "below" | "above";
  /** A share: -0.03. */
  readonly limit: number;
}

const form = /^\s*(\w+)\s*([<>])\s*([+-]?\d+(?:\.\d+)?)\s*%\s*$/;

/** @throws InferenceError INVALID_OPTION of a text that is no rule, or of a figure that there is not */
export function parseRule(text: string): FailRule {
  const [, metric = "", side, percent] = form.exec(text) ?? [];
  if (side === undefined)
    throw refusal(`must be a figure, < or > and a change in percent, such as "out_tok_s<-3%", got "${text}"`);
  if (!metrics.some(({ name }) => name === metric))
    throw refusal(`"${text}" names no figure; there are ${metricNames}`);
  return { text, metric, side: side === "<" ? "below" : "above", limit: Number(percent) / 100 };
}

/**
 * The changes that break a rule: beyond its limit, and more than chance.
 * @throws InferenceError INVALID_OPTION where the files cannot tell: a gate that cannot fail is none
 */
export function broken({ metric, side, limit, text }: FailRule, { changes }: Comparison): readonly Change[] {
  const of = changes.filter((each) => each.metric.name === metric && each.change !== null);
  if (of.length === 0)
    throw refusal(`"${text}" cannot be judged: no load point of both files has ${metric} above 0`);
  if (of.some(({ p }) => p === null))
    throw refusal(
      `"${text}" cannot be judged with one repeat on a side; measure both with --repeats 3 or more`,
    );
  const isBeyond = (change: number) => (side === "below" ? change < limit : change > limit);
  const beyond = of.filter(({ verdict, change }) => verdict !== "same" && isBeyond(change ?? 0));
  if (beyond.some(({ verdict }) => verdict === "unknown"))
    throw refusal(
      `"${text}" cannot be judged: the machine was busier in one of the runs (client.eventLoopDelayMs), which explains the change; measure both again while nothing else runs`,
    );
  return beyond;
}

function refusal(sentence: string): InferenceError {
  return new InferenceError("INVALID_OPTION", `--fail-on: ${sentence}`);
}
