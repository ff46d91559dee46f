// What is known of one generation: the events of its choices that came, what of
// them was read, and its end. The router writes it, a Generation reads it. It
// tells the addon what was read, which is what back-pressure works on, and keeps
// the process alive while somebody waits here. It decides nothing about
// scheduling.
import type { InferenceError } from "../errors.js";
import type { NativeEngine } from "../native.js";
import type { NativeEnd, NativePrompt } from "../native-events.js";
import { type AnswerReading, Choice, type ChoiceHost } from "./choice.js";
import {
  type ChoiceEndEvent,
  combinedEnd,
  type DeltaEvent,
  endBeforeStart,
  type PromptEvent,
} from "./events.js";
import type { KeepAlive } from "./keep-alive.js";
import type { OutputJudge } from "./output.js";
import type { PromptTold } from "./prompt-told.js";
import type { RequestOutcome } from "./request-book.js";

/** What a generation needs of its engine. */
export interface GenerationHost {
  readonly native: Pick<NativeEngine, "cancel" | "acknowledge">;
  readonly keepAlive: Pick<KeepAlive, "hold" | "release">;
}

/** The state of one generation, from its request to its one end. */
export class GenerationRecord implements ChoiceHost {
  readonly choices: readonly Choice[];
  /** Everything that came so far; never shortened. */
  readonly events: (PromptEvent | DeltaEvent | ChoiceEndEvent)[] = [];
  /** Of other choices, that came before the prompt was told. */
  readonly #early: (DeltaEvent | ChoiceEndEvent)[] = [];
  readonly #host: GenerationHost;
  readonly #arrivals: (() => void)[] = [];
  readonly #endings: (() => void)[] = [];
  readonly #acceptances: (() => void)[] = [];
  readonly #atEnd: ((outcome: RequestOutcome) => void)[] = [];
  #end: NativeEnd | undefined;
  #cancelling = false;
  #acceptedFirst = false;
  #submitted = true;
  #abortedBy: AbortSignal | undefined;
  #failure: InferenceError | undefined;
  #readEvents = 0;
  #readsAll = false;
  #reading: AnswerReading | undefined;
  #prompt: PromptTold | undefined;

  /**
   * @param ids of its choices' requests, one at least
   * @param boundBy the option that its grammar is made of, where it was given none
   * @param output who judges its answers' objects; undefined where they have none
   */
  constructor(
    ids: readonly number[],
    host: GenerationHost,
    readonly boundBy?: string,
    readonly output?: { readonly judge: OutputJudge },
  ) {
    this.choices = ids.map((id, index) => new Choice(this, index, id));
    this.#host = host;
  }

  /** The end of all choices together; undefined while one lives. */
  get end(): NativeEnd | undefined {
    return this.#end;
  }

  /** The signal that cancelled it, if one did before anybody else. */
  get abortedBy(): AbortSignal | undefined {
    return this.#abortedBy;
  }

  /** How its answers are taken apart; undefined where they are text. */
  get reading(): AnswerReading | undefined {
    return this.#reading;
  }

  /** Has its answers taken apart, from before their first text. */
  readAnswers(reading: AnswerReading | undefined): void {
    this.#reading = reading;
    if (reading === undefined) return;
    for (const choice of this.choices) choice.read(reading);
  }

  get isFollowed(): boolean {
    return this.#readsAll || (this.#arrivals.length > 0 && this.#readEvents === this.events.length);
  }

  acknowledge(id: number, tokens: number): void {
    this.#host.native.acknowledge(id, tokens);
  }

  /** Tells its prompt first, before anything of an answer. */
  tellPrompt(prompt: PromptTold): void {
    this.#prompt = prompt;
  }

  hearPrompt(prompt: NativePrompt): void {
    this.#prompt?.add(prompt);
  }

  /** The first choice has begun to answer, or has ended: its prompt is known. */
  #promptIsKnown(): void {
    const prompt = this.#prompt;
    if (prompt === undefined) return;
    this.#prompt = undefined;
    this.#push(prompt.event());
    for (const event of this.#early.splice(0)) this.#push(event);
  }

  /** Takes an event of one of the choices. */
  add(event: DeltaEvent | ChoiceEndEvent): void {
    if (event.choiceIndex === 0) this.#promptIsKnown();
    if (this.#prompt === undefined) this.#push(event);
    else this.#early.push(event);
  }

  #push(event: PromptEvent | DeltaEvent | ChoiceEndEvent): void {
    this.events.push(event);
    if (this.#readsAll) this.read(this.events.length - 1);
    wake(this.#arrivals);
  }

  /** Hears that the engine has accepted a choice. */
  choiceAccepted(): void {
    if (this.#cancelling || !this.choices.every((choice) => choice.isAccepted)) return;
    this.#acceptedFirst = true;
    wake(this.#acceptances);
  }

  /** The engine has accepted all choices, before anybody cancelled them. */
  get acceptedFirst(): boolean {
    return this.#acceptedFirst;
  }

  /** How the request ended, for the engine's books; undefined while it lives. */
  get outcome(): RequestOutcome | undefined {
    return this.#end && this.#outcomeOf(this.#end);
  }

  #outcomeOf({ reason, id }: NativeEnd): RequestOutcome {
    if (reason === "error") {
      const failed = this.choices.find((choice) => choice.id === id);
      return failed?.isAccepted ? "failed" : "refused";
    }
    return this.choices.some(({ finishReason }) => finishReason === "cancelled") ? "cancelled" : "finished";
  }

  /** Hears that a choice has ended: the last end is the generation's, a failure stops the others. */
  choiceEnded({ index, finishReason }: Choice, { reason }: NativeEnd): void {
    if (this.choices.length > 1 && reason !== "error") {
      this.add({ type: "choice-end", choiceIndex: index, finishReason });
    }
    if (index === 0) this.#promptIsKnown();
    if (reason === "error") this.cancel();
    const ends = this.choices.map((choice) => choice.end).filter((end) => end !== undefined);
    if (ends.length < this.choices.length) return;
    this.#end = combinedEnd(ends);
    for (const callback of this.#atEnd.splice(0)) callback(this.#outcomeOf(this.#end));
    wake(this.#arrivals);
    wake(this.#acceptances);
    wake(this.#endings);
  }

  /** What failed it before the addon heard of it. */
  get failure(): InferenceError | undefined {
    return this.#failure;
  }

  /** Fails choices that the addon never heard of. */
  fail(failure: InferenceError): void {
    this.#failure = failure;
    this.#finishUnheard(failure);
  }

  #finishUnheard(failure: InferenceError | null = null): void {
    for (const choice of this.choices) {
      if (choice.end === undefined) choice.finish(endBeforeStart(choice.id, failure));
    }
  }

  /** Calls back at its end, before its readers hear of it; now where it has ended. */
  atEnd(callback: (outcome: RequestOutcome) => void): void {
    if (this.#end === undefined) this.#atEnd.push(callback);
    else callback(this.#outcomeOf(this.#end));
  }

  /** The addon hears of it later, or never. */
  postpone(): void {
    this.#submitted = false;
  }

  /** The addon hears of it now. */
  submit(): void {
    this.#submitted = true;
  }

  cancel(): void {
    if (this.#end !== undefined || this.#cancelling) return;
    if (this.#submitted) {
      this.#cancelling = true;
      for (const { id, end } of this.choices) {
        if (end === undefined) this.#host.native.cancel(id);
      }
    } else {
      this.#finishUnheard();
    }
  }

  /** Cancels on behalf of the request's signal. */
  abort(signal: AbortSignal): void {
    if (!this.#cancelling) this.#abortedBy = signal;
    this.cancel();
  }

  /** Ends a request whose signal had aborted before the addon heard of it. */
  finishAborted(signal: AbortSignal): void {
    this.#abortedBy = signal;
    this.#finishUnheard();
  }

  /** Waits for the next event or the end; to be called by who has read all others. */
  arrival(): Promise<void> {
    this.#allRead();
    return this.#wait(this.#arrivals);
  }

  /** Waits until the engine has accepted all choices, before anybody cancelled them, or for the end. */
  acceptance(): Promise<void> {
    return this.#wait(this.#acceptances);
  }

  /** acceptance() is over. */
  get isDecided(): boolean {
    return this.#acceptedFirst || this.#end !== undefined;
  }

  /** Waits for the end alone: who wants the whole is not woken by its parts. */
  ending(): Promise<void> {
    return this.#wait(this.#endings);
  }

  #wait(waiting: (() => void)[]): Promise<void> {
    this.#host.keepAlive.hold();
    return new Promise<void>((resolve) => {
      waiting.push(() => {
        this.#host.keepAlive.release();
        resolve();
      });
    });
  }

  /** Counts event `index` as read, once however many readers there are. */
  read(index: number): void {
    if (index < this.#readEvents) return;
    this.#readEvents = index + 1;
    const event = this.events[index];
    if (event !== undefined && event.type !== "choice-end" && event.type !== "prompt") {
      this.choices[event.choiceIndex]?.countRead(event.tokens.length);
    }
    if (this.#readEvents === this.events.length) this.#allRead();
  }

  #allRead(): void {
    for (const choice of this.choices) choice.allRead();
  }

  /** From now on every event counts as read when it comes. */
  readAll(): void {
    this.#readsAll = true;
    for (let next = this.#readEvents; next < this.events.length; next += 1) this.read(next);
    this.#allRead();
  }
}

function wake(waiting: (() => void)[]): void {
  if (waiting.length === 0) return;
  for (const each of waiting.splice(0)) each();
}
