// One generation as its user holds it: read it as it comes (async iterable, stream of
// text), take it whole (await), or both. State lives in its GenerationRecord.
import "./dispose.js";
import {
  cancelledBy,
  type ErrorCode,
  InferenceError,
  isErrorCode,
  type NameOption,
  spelledPath,
} from "../errors.js";
import type { NativeEnd } from "../native-events.js";
import type { Choice } from "./choice.js";
import {
  type DeltaEvent,
  type EndEvent,
  type GenerateChoice,
  type GenerateResult,
  type GenerationEvent,
  timingsOf,
  usageOf,
} from "./events.js";
import type { GenerationRecord } from "./generation-record.js";
import { withObjects } from "./output.js";
import { type JsonSeed, jsonSeed } from "./seed.js";
import { byteStream, type TextStream, textStream } from "./text-stream.js";

/** The records behind generations, for the engines that made them. */
const records = new WeakMap<Generation, GenerationRecord>();

/** The record behind a generation; undefined for anything else. */
export function recordOf(generation: unknown): GenerationRecord | undefined {
  return generation instanceof Generation ? records.get(generation) : undefined;
}

/**
 * A generation in flight, made by Engine.generate().
 *
 * Iterating gives text-delta events, of conversations reasoning-delta and
 * tool-call-delta too, and then exactly one end event, with n above 1 a choice-end
 * event for each choice between them; every iteration starts at the first event.
 * Leaving the loop early cancels the generation. Awaiting gives the whole result.
 *
 * | what happened                   | iterating                          | awaiting |
 * |---------------------------------|------------------------------------|----------|
 * | it ended                        | end event                          | resolves |
 * | cancel(), break, engine.close() | end event, `cancelled`             | resolves with the text so far, `cancelled` |
 * | its signal aborted              | end event, `cancelled`             | rejects with CANCELLED, cause = signal.reason |
 * | a library's `jsonSchema` refused the answer | end event          | rejects with OUTPUT_INVALID, its `text` the answer |
 * | it was refused or failed        | throws after the deltas that came  | rejects, both with an InferenceError |
 *
 * `accepted` settles before all of these: it resolves when the engine has accepted the
 * request, and rejects with what refused or cancelled it before.
 *
 * Tokens that nobody reads hold it back: at 256 unread tokens it stops until
 * somebody reads, and gives its slot to others that wait. A generation that
 * nobody is reading does not keep the process alive. Since it is thenable, an
 * async function that returns it returns its result.
 */
export class Generation<Result extends GenerateResult = GenerateResult>
  implements AsyncIterable<GenerationEvent>, PromiseLike<Result>
{
  /**
   * The seed it draws with: the request's, or the one chosen for it (below 2^53); 0 where it
   * was refused. Above 2^53-1 as decimal text, which `seed` takes too.
   */
  readonly seed: JsonSeed;
  readonly #record: GenerationRecord;
  #result: Promise<Result> | undefined;
  #accepted: Promise<void> | undefined;

  /** @internal Generations come from Engine.generate(). */
  constructor(record: GenerationRecord, seed: bigint) {
    this.#record = record;
    records.set(this, record);
    this.seed = jsonSeed(seed);
  }

  /**
   * Resolves when the engine has accepted the request, before its first token: its options
   * were judged, its messages rendered, its prompt tokenized and found to fit the context, and
   * the queue had room for it; with n above 1, for all choices. It may still wait for a slot
   * then, and fail later. Reading it counts as no reading of tokens, and a rejection that
   * nobody handles is none to the process.
   *
   * @throws InferenceError (rejects) what the request was refused with: INVALID_OPTION,
   *   CONTEXT_OVERFLOW, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED, QUEUE_FULL,
   *   ENGINE_CLOSED, DEVICE_FAILED, ENGINE_BROKEN, NATIVE_MISSING, OUT_OF_MEMORY; CANCELLED where it was
   *   cancelled first, by whatever
   */
  get accepted(): Promise<void> {
    if (this.#accepted === undefined) {
      this.#accepted = this.#acceptance();
      this.#accepted.catch(() => {});
    }
    return this.#accepted;
  }

  async #acceptance(): Promise<void> {
    const record = this.#record;
    if (!record.isDecided) await record.acceptance();
    const { acceptedFirst, abortedBy, outcome } = record;
    if (acceptedFirst || outcome === "finished" || outcome === "failed") return;
    this.#endEvent();
    if (abortedBy !== undefined) throw cancelledBy(abortedBy, "the generation");
    throw new InferenceError("CANCELLED", "the generation was cancelled before the engine accepted it");
  }

  /** Ends it at the next step; does nothing once it has ended. */
  cancel(): void {
    this.#record.cancel();
  }

  /** Every event from the first on; cancels the generation when left early. */
  [Symbol.asyncIterator](): AsyncIterableIterator<GenerationEvent, void, undefined> {
    const events = this.#events();
    return {
      next: () => events.next(),
      // A generator would wait for its pending next() first, which may be in a
      // long queue; cancelled, that one comes soon.
      return: () => {
        this.cancel();
        return events.return();
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /**
   * The text alone, from its start: no thoughts, no tool calls, no empty chunks; with n above 1
   * the first choice's. Each access makes a new stream. Closes where awaiting resolves, and
   * fails where it rejects because of a failure or an aborted signal, with the same error.
   * Pulled: tokens count as unread until the reader has asked for them. Cancelling the stream,
   * or leaving a `for await` over it, cancels the generation. Node's own streams take it as it
   * is: `pipeline(generation.textStream, response)`.
   */
  get textStream(): TextStream<string> {
    return textStream(this.#source());
  }

  /**
   * `textStream` in UTF-8 bytes, each chunk whole characters:
   * `new Response(generation.toReadableStream())`. A client that leaves cancels the generation.
   */
  toReadableStream(): TextStream<Uint8Array> {
    return byteStream(this.#source());
  }

  #source() {
    return { events: () => this[Symbol.asyncIterator](), mustBeWhole: () => this.#refuseAborted() };
  }

  /** For `await using`: cancels it and waits for its end, whatever that is; never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
    if (this.#record.end === undefined) await this.#record.ending();
  }

  /** The whole generation; see the table above for how it settles. */
  // biome-ignore lint/suspicious/noThenProperty: awaiting a generation is its contract
  then<Fulfilled = Result, Rejected = never>(
    onFulfilled?: ((result: Result) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.#whole().then(onFulfilled, onRejected);
  }

  /** As a promise's. */
  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Result | Rejected> {
    return this.#whole().catch(onRejected);
  }

  /** As a promise's. */
  finally(onFinally?: (() => void) | null): Promise<Result> {
    return this.#whole().finally(onFinally);
  }

  async *#events(): AsyncGenerator<GenerationEvent, void, undefined> {
    const { events } = this.#record;
    // One of several choices may have tokens before the engine has accepted the last.
    if (!this.#record.isDecided) await this.#record.acceptance();
    for (let next = 0; ; next += 1) {
      while (next === events.length && this.#record.end === undefined) {
        await this.#record.arrival();
      }
      const event = events[next];
      if (event === undefined) break;
      this.#record.read(next);
      yield event;
    }
    yield this.#endEvent();
  }

  #whole(): Promise<Result> {
    this.#result ??= this.#collect();
    return this.#result;
  }

  async #collect(): Promise<Result> {
    const record = this.#record;
    record.readAll();
    if (record.end === undefined) await record.ending();
    const { usage, timings } = this.#endEvent();
    this.#refuseAborted();
    const texts = record.choices.map((choice) => this.#choice(choice));
    const choices = record.output === undefined ? texts : await withObjects(texts, record.output.judge);
    const [first] = choices;
    if (first === undefined) throw new Error("a generation has at least one choice");
    const { index: _, ...result } = first;
    const prompt = record.events.find((event) => event.type === "prompt");
    const told = prompt && {
      promptTokens: prompt.tokens,
      ...(prompt.logProbs && { promptLogProbs: prompt.logProbs }),
    };
    // The judge of the request knows whether there are objects, and generate()'s types what of.
    return { ...result, choices, ...told, usage, timings } as GenerateResult as Result;
  }

  /** @throws InferenceError CANCELLED where its signal cut it short */
  #refuseAborted(): void {
    const { abortedBy, choices } = this.#record;
    if (abortedBy === undefined || choices.every((choice) => choice.finishReason !== "cancelled")) return;
    throw cancelledBy(abortedBy, "the generation");
  }

  #choice({ index, toolCalls, finishReason }: Choice): GenerateChoice {
    const deltas = this.#record.events.filter(
      (event) => event.type !== "choice-end" && event.type !== "prompt" && event.choiceIndex === index,
    ) as readonly DeltaEvent[];
    const text = (type: DeltaEvent["type"]) =>
      deltas.map((delta) => (delta.type === type && "text" in delta ? delta.text : "")).join("");
    const told = deltas.some((delta) => delta.logProbs !== undefined);
    const reasoning = text("reasoning-delta");
    return {
      index,
      text: text("text-delta"),
      ...(reasoning !== "" && { reasoning }),
      ...(toolCalls.length > 0 && { toolCalls }),
      tokens: deltas.flatMap((delta) => delta.tokens),
      ...(told ? { logProbs: deltas.flatMap((delta) => delta.logProbs ?? []) } : {}),
      finishReason,
    };
  }

  #endEvent(): EndEvent {
    const { end, choices, boundBy, failure } = this.#record;
    if (end === undefined) throw new Error("a generation was read to its end before it ended");
    if (end.reason === "error") throw failure ?? failureOf(end, boundBy);
    const finishReason = choices[0]?.finishReason ?? end.reason;
    return { type: "end", finishReason, usage: usageOf(end), timings: timingsOf(end) };
  }
}

/** How the addon names a request's grammar, whatever option it was made of. */
const grammarOpening = /^The grammar(?=\W)/;

function failureOf({ failure }: NativeEnd, boundBy: string | undefined): InferenceError {
  const given = failure?.message ?? "the generation failed without a reason";
  const code = isErrorCode(failure?.code) ? failure.code : "ENGINE_BROKEN";
  const { option } = failure ?? {};
  if (option !== undefined) return failureOfOption(code, option, ` ${given}`);
  if (!grammarOpening.test(given)) return new InferenceError(code, given);
  const problem = given.replace(grammarOpening, boundBy === undefined ? "" : ": its grammar");
  return failureOfOption(code, boundBy ?? "grammar", problem, "generate(): ");
}

/** @param opening of the message: the call, where it can be told */
function failureOfOption(code: ErrorCode, option: string, problem: string, opening = ""): InferenceError {
  const sentence = (name: NameOption) => name([option]) + problem;
  return new InferenceError(code, opening + sentence(spelledPath), { path: [option], sentence });
}
