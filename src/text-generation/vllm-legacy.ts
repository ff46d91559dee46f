// worker-vllm's old native format: {choices: [{tokens}], usage: {input, output}},
// streamed in chunks that grow from few tokens to many.
import type { TextDeltaEvent, Usage } from "../engine/events.js";
import type { GenerateRequest } from "../engine/generate-request.js";
import { bytesText } from "../openai/answer-parts.js";
import { wrongField } from "../openai/api-error.js";
import type { Body } from "../openai/fields.js";
import type { TextModel } from "../openai/text-model.js";
import { asNumber } from "../openai/values.js";
import type { BatchSizes } from "./config.js";

/** Fields of a job that ask for this format. */
export const batchFields = ["max_batch_size", "min_batch_size", "batch_size_growth_factor"] as const;

/** A job's batch sizes over the configured ones. @throws ApiError */
export function batchSizesOf(input: Body, configured: BatchSizes): BatchSizes {
  const read = (name: (typeof batchFields)[number], otherwise: number, least: number) => {
    const value = asNumber(input[name] ?? otherwise);
    if (typeof value === "number" && value >= least) return value;
    throw wrongField(name, `a number of at least ${least}`);
  };
  return {
    most: read("max_batch_size", configured.most, 1),
    least: read("min_batch_size", configured.least, 1),
    growth: read("batch_size_growth_factor", configured.growth, 0),
  };
}

/** Sizes of chunks: least, least * growth, … up to most; most alone where they cannot grow. */
export function* chunkSizes({ most, least, growth }: BatchSizes): Generator<number, never, undefined> {
  const grows = growth > 1 && most > least;
  let size = grows ? least : most;
  for (;;) {
    yield Math.floor(size);
    if (grows) size = Math.min(size * growth, most);
  }
}

/** The answer in chunks, or in one. */
export async function* legacyChunks(
  model: TextModel,
  request: GenerateRequest,
  stream: boolean,
  sizes: BatchSizes,
): AsyncGenerator<object, void, undefined> {
  const run = model.generate(request);
  if (!stream) {
    const { choices, usage } = await run;
    yield legacyObject(
      choices.map(({ text }) => [text]),
      usage,
    );
    return;
  }
  const size = chunkSizes(sizes);
  const count = request.n ?? 1;
  let wanted = size.next().value;
  let waiting: string[][] = emptyLists(count);
  let pending = 0;
  let output = 0;
  for await (const event of run) {
    if (event.type === "end") {
      if (pending > 0) yield legacyObject(waiting, { ...event.usage, completionTokens: output });
      return;
    }
    if (event.type !== "text-delta") continue;
    for (const text of spoken(event, model)) {
      waiting[event.choiceIndex]?.push(text);
      pending += 1;
      output += 1;
      if (pending < wanted) continue;
      yield legacyObject(waiting, { promptTokens: 0, cachedPromptTokens: 0, completionTokens: output });
      waiting = emptyLists(count);
      pending = 0;
      wanted = size.next().value;
    }
  }
}

/** A delta's text token by token, where its tokens spell it. */
function spoken({ text, tokens }: TextDeltaEvent, model: TextModel): readonly string[] {
  if (text === "") return [];
  const pieces = tokens.map((token) => bytesText(model.tokenBytes(token)));
  return pieces.join("") === text ? pieces : [text];
}

function emptyLists(count: number): string[][] {
  return Array.from({ length: count }, () => []);
}

function legacyObject(tokens: readonly (readonly string[])[], usage: Usage): object {
  return {
    choices: tokens.map((each) => ({ tokens: each })),
    usage: { input: usage.promptTokens, output: usage.completionTokens },
  };
}
