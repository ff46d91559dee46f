// One answer of a generation: a request as the addon knows it by its id, and the
// events its text becomes. Where the answer is of a format, an AnswerReader takes it
// apart, and the end waits for the last of it. Counts what was read, which is
// what back-pressure works on.
import type { AnswerDelta, AnswerFormat } from "../chat/answer.js";
import { AnswerReader, type ParseAnswer } from "../chat/answer-reader.js";
import type { ToolCall } from "../chat/tools.js";
import type { NativeEnd, NativePrompt } from "../native-events.js";
import type { EventReader } from "./event-router.js";
import { type DeltaEvent, type FinishReason, type GeneratedLogProb, logProbsOf } from "./events.js";

/**
 * Tokens read before the addon is told. Its window is 256, so an eighth: rare
 * calls, and what is still untold can never stop a generation.
 */
const acknowledgeTokens = 32;

/** How answers are read. */
export interface AnswerReading {
  readonly format: AnswerFormat;
  readonly parse: ParseAnswer;
}

/** What a choice needs of its generation. */
export interface ChoiceHost {
  add(event: DeltaEvent): void;
  hearPrompt(prompt: NativePrompt): void;
  choiceAccepted(): void;
  choiceEnded(choice: Choice, end: NativeEnd): void;
  /** Tells the addon of tokens read. */
  acknowledge(id: number, tokens: number): void;
  /** Somebody waits for the next event and has read all others. */
  readonly isFollowed: boolean;
}

/** One choice's request. */
export class Choice implements EventReader {
  readonly id: number;
  readonly index: number;
  readonly #host: ChoiceHost;
  #reader: AnswerReader | undefined;
  /** Tokens that came and are in no event yet. */
  #held: number[] = [];
  #heldLogProbs: GeneratedLogProb[] = [];
  #end: NativeEnd | undefined;
  #ending = false;
  #accepted = false;
  #unacknowledged = 0;

  constructor(host: ChoiceHost, index: number, id: number) {
    this.#host = host;
    this.index = index;
    this.id = id;
  }

  /** Its one end; undefined while it lives. */
  get end(): NativeEnd | undefined {
    return this.#end;
  }

  /** Why it ended; a failed one counts as cancelled. */
  get finishReason(): Exclude<FinishReason, "error"> {
    const reason = this.#end?.reason ?? "cancelled";
    if (reason === "error") return "cancelled";
    return reason === "stop" && this.toolCalls.length > 0 ? "tool-calls" : reason;
  }

  /** The tools it called. */
  get toolCalls(): readonly ToolCall[] {
    return this.#reader?.toolCalls ?? [];
  }

  /** From now on its text is taken apart. */
  read({ format, parse }: AnswerReading): void {
    this.#reader = new AnswerReader(format, parse, (delta) => this.#tell(delta));
  }

  /** The engine has accepted it. */
  get isAccepted(): boolean {
    return this.#accepted;
  }

  accept(): void {
    this.#accepted = true;
    this.#host.choiceAccepted();
  }

  hearPrompt(prompt: NativePrompt): void {
    this.#host.hearPrompt(prompt);
  }

  deliver(text: string, tokens: readonly number[], logProbs?: Float64Array): void {
    const told = logProbs === undefined ? undefined : logProbsOf(tokens, logProbs);
    if (this.#reader === undefined) {
      const also = told === undefined ? {} : { logProbs: told };
      this.#host.add({ type: "text-delta", choiceIndex: this.index, text, tokens, ...also });
      return;
    }
    this.#held.push(...tokens);
    this.#heldLogProbs.push(...(told ?? []));
    this.#unacknowledged += tokens.length;
    this.#reader.add(text);
    if (this.#host.isFollowed) this.allRead();
  }

  finish(end: NativeEnd): void {
    this.#ending = true;
    if (this.#reader === undefined || end.reason === "error") this.#finishNow(end);
    else void this.#reader.finish(end.reason === "stop").finally(() => this.#finishNow(end));
  }

  #finishNow(end: NativeEnd): void {
    if (this.#held.length > 0) this.#tell({ type: "content", text: "" });
    this.#end = end;
    this.#host.choiceEnded(this, end);
  }

  #tell(delta: AnswerDelta): void {
    const tokens = this.#held;
    const logProbs = this.#heldLogProbs;
    this.#held = [];
    this.#heldLogProbs = [];
    const told = { choiceIndex: this.index, tokens, ...(logProbs.length > 0 && { logProbs }) };
    this.#host.add(eventOf(delta, told));
  }

  /** An event with `tokens` was read. */
  countRead(tokens: number): void {
    if (this.#reader !== undefined) return; // all at once, by allRead()
    this.#unacknowledged += tokens;
    this.#acknowledge();
  }

  /** Every event was read: tokens that are in none yet hold nothing back. */
  allRead(): void {
    if (this.#reader !== undefined) this.#acknowledge();
  }

  #acknowledge(): void {
    if (this.#unacknowledged < acknowledgeTokens || this.#ending) return;
    this.#host.acknowledge(this.id, this.#unacknowledged);
    this.#unacknowledged = 0;
  }
}

function eventOf(
  delta: AnswerDelta,
  told: Pick<DeltaEvent, "choiceIndex" | "tokens" | "logProbs">,
): DeltaEvent {
  if (delta.type === "tool-call") {
    const { index: toolCallIndex, id, name, text } = delta;
    return { type: "tool-call-delta", ...told, toolCallIndex, id, name, arguments: text };
  }
  const { type, text } = delta;
  return { type: type === "content" ? "text-delta" : "reasoning-delta", ...told, text };
}
