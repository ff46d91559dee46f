// One generation as its user holds it: read it as it comes (async iterable),
// take it whole (await), or both. State lives in its GenerationRecord.
import {
  cancelledBy,
  type ErrorCode,
  InferenceError,
  isErrorCode,
  type NameOption,
  spelledPath,
} from "../errors.js";
import type { NativeEnd } from "../native.js";
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
import { type GenerationHost, GenerationRecord } from "./generation-record.js";
import { asRefusal } from "./judge.js";

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
 * | it was refused or failed        | throws after the deltas that came  | rejects, both with an InferenceError |
 *
 * Tokens that nobody reads hold it back: at 256 unread tokens it stops until
 * somebody reads, and gives its slot to others that wait. A generation that
 * nobody is reading does not keep the process alive. Since it is thenable, an
 * async function that returns it returns its result.
 */
export class Generation implements AsyncIterable<GenerationEvent>, PromiseLike<GenerateResult> {
  /** The seed it draws with: the request's, or the one chosen for it; 0 where it was refused. */
  readonly seed: bigint;
  readonly #record: GenerationRecord;
  #result: Promise<GenerateResult> | undefined;

  /** Generations come from Engine.generate(). */
  constructor(record: GenerationRecord, seed: bigint) {
    this.#record = record;
    records.set(this, record);
    this.seed = seed;
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

  /** The whole generation; see the table above for how it settles. */
  // biome-ignore lint/suspicious/noThenProperty: awaiting a generation is its contract
  then<Fulfilled = GenerateResult, Rejected = never>(
    onFulfilled?: ((result: GenerateResult) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.#whole().then(onFulfilled, onRejected);
  }

  /** As a promise's. */
  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<GenerateResult | Rejected> {
    return this.#whole().catch(onRejected);
  }

  /** As a promise's. */
  finally(onFinally?: (() => void) | null): Promise<GenerateResult> {
    return this.#whole().finally(onFinally);
  }

  async *#events(): AsyncGenerator<GenerationEvent, void, undefined> {
    const { events } = this.#record;
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

  #whole(): Promise<GenerateResult> {
    this.#result ??= this.#collect();
    return this.#result;
  }

  async #collect(): Promise<GenerateResult> {
    const record = this.#record;
    record.readAll();
    if (record.end === undefined) await record.ending();
    const { usage, timings } = this.#endEvent();
    const choices = record.choices.map((choice) => this.#choice(choice));
    const [first] = choices;
    if (first === undefined) throw new Error("a generation has at least one choice");
    if (record.abortedBy !== undefined && choices.some((choice) => choice.finishReason === "cancelled")) {
      throw cancelledBy(record.abortedBy, "the generation");
    }
    const { index: _, ...result } = first;
    return { ...result, choices, usage, timings };
  }

  #choice({ index, toolCalls, finishReason }: Choice): GenerateChoice {
    const deltas = this.#record.events.filter(
      (event) => event.type !== "choice-end" && event.choiceIndex === index,
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

/** A generation that has failed before it began: whoever reads it hears why. */
export function refused(call: string, thrown: unknown, id: number, host: GenerationHost): Generation {
  const record = new GenerationRecord([id], host);
  record.fail(asRefusal(call, thrown));
  return new Generation(record, 0n);
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
