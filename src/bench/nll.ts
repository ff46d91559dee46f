// How likely a model holds fixed texts to be, and its own answers to them, asked many at once: the loss
// (negative log-likelihood, NLL). Answers of a batch may differ from those of one request alone without
// anything being wrong, since kernels round differently; their loss does not. Two results of the same weights have
// the same losses within a band; another quantization, a damaged tensor or a batch that is computed
// wrongly has not.
import { gateTexts } from "./gate-texts.js";
import { mean } from "./statistics.js";
import type { Target } from "./target.js";

/** The losses of one run; nats are natural units of information, of which one bit is 0.69. */
export interface Nll {
  readonly texts: number;
  /** Tokens of the texts that were judged. */
  readonly tokens: number;
  /** Their mean loss, in nats. */
  readonly mean: number;
  /** Of each token: its log-probability to four decimals. */
  readonly logProbs: readonly number[];
  /** Answers at temperature 0, many at once, judged as prompts; null where none could be had. */
  readonly answers: AnswersNll | null;
}

/** The loss of what a batch generated. */
export interface AnswersNll {
  readonly atOnce: number;
  readonly tokens: number;
  readonly mean: number;
}

/** What was measured, or why nothing was. */
export type NllFinding =
  | { readonly nll: Nll; readonly reason: null }
  | { readonly nll: null; readonly reason: string };

/**
 * Nats per token, of the mean of the absolute differences. The same weights had 0.000 with other threads, other
 * slots and over HTTP; a KV cache of q8_0 for one of f16 had 0.03 to 0.09 (three models), and other types of
 * weights more (docs/decisions/0077).
 */
export const tokenBand = 0.02;

/** Nats per token, between means: answers of a batch may part ways, and other texts have other losses. */
export const answersBand = 0.25;

const answerTokens = 16;
/** Requests at once, however many streams a load has. */
const widths = { least: gateTexts.length, most: 32 };

/** @param streams of the highest load: the answers come from a batch that is as wide, from 8 to 32 */
export async function measureNll(target: Target, streams: number, signal: AbortSignal): Promise<NllFinding> {
  const scores = await scoresOf(target, gateTexts, signal);
  if ("reason" in scores) return { nll: null, reason: scores.reason };
  const logProbs = scores.logProbs.flat();
  const lengths = scores.logProbs.map((each) => each.length);
  const atOnce = Math.min(Math.max(streams, widths.least), widths.most);
  const nll = {
    ...{ texts: gateTexts.length, tokens: logProbs.length, mean: -mean(logProbs) },
    logProbs: logProbs.map((value) => Math.round(value * 1e4) / 1e4),
    answers: await answersNll(target, { lengths, atOnce }, signal),
  };
  return signal.aborted ? { nll: null, reason: "the run was cancelled" } : { nll, reason: null };
}

/** What differs between two runs' losses, beyond what rounding explains; null: nothing. */
export function nllDifference(before: Nll, after: Nll): string | null {
  if (before.logProbs.length !== after.logProbs.length)
    return `the texts have ${before.tokens} and ${after.tokens} tokens: other tokenizers`;
  const apart = mean(before.logProbs.map((value, token) => Math.abs(value - (after.logProbs[token] ?? 0))));
  // Not "greater than the band": a model of NaN is no other's equal.
  if (!(apart <= tokenBand))
    return `the tokens' losses are ${spelled(apart)} nats apart (at most ${tokenBand}), ${spelled(before.mean)} and ${spelled(after.mean)} on average`;
  const [left, right] = [before.answers, after.answers];
  if (left === null || right === null || Math.abs(left.mean - right.mean) <= answersBand) return null;
  return `the losses of batched answers are ${spelled(left.mean)} and ${spelled(right.mean)} nats (at most ${answersBand} apart)`;
}

function spelled(nats: number): string {
  return nats.toFixed(4);
}

/** The first text alone: an endpoint that cannot do it is asked once. */
async function scoresOf(
  target: Target,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly logProbs: readonly (readonly number[])[] } | { readonly reason: string }> {
  const [first = "", ...others] = texts;
  const alone = await target.score(first, signal);
  if (alone.type === "none") return { reason: alone.reason };
  const rest = await Promise.all(others.map((text) => target.score(text, signal)));
  const logProbs = [alone.logProbs];
  for (const score of rest) {
    if (score.type === "none") return { reason: score.reason };
    logProbs.push(score.logProbs);
  }
  return { logProbs };
}

async function answersNll(
  target: Target,
  { lengths, atOnce }: { readonly lengths: readonly number[]; readonly atOnce: number },
  signal: AbortSignal,
): Promise<AnswersNll | null> {
  const asked = Array.from({ length: atOnce }, (_, index) => index % gateTexts.length);
  const answers = await Promise.all(
    asked.map((text) => target.continued(gateTexts[text] ?? "", answerTokens, signal)),
  );
  // Requests of the same text mostly have the same answer, which is judged once.
  const judged = new Map<string, { readonly text: number; count: number }>();
  for (const [index, answer] of answers.entries()) {
    if (answer.type === "none") return null;
    const text = asked[index] ?? 0;
    const whole = `${gateTexts[text]}${answer.text}`;
    const known = judged.get(whole);
    if (known === undefined) judged.set(whole, { text, count: 1 });
    else known.count += 1;
  }
  const scores = await scoresOf(target, [...judged.keys()], signal);
  if ("reason" in scores) return null;
  const losses = [...judged.values()].flatMap(({ text, count }, place) => {
    const own = (scores.logProbs[place] ?? []).slice(lengths[text]);
    return Array.from({ length: count }, () => own).flat();
  });
  return losses.length === 0 ? null : { atOnce, tokens: losses.length, mean: -mean(losses) };
}
