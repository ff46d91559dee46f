// Takes one answer apart while it comes. The text between two markers of the
// format belongs to one part and is handed on as it is; the format's parser, which
// starts at the beginning each time, is asked only where a marker stands, and
// while a tool is called each time the text has grown by an eighth: the work
// is linear in the text. While the parser is away, text piles up for the next look.
// What was handed on is never taken back.
import { randomBytes } from "node:crypto";
import type { AnswerDelta, AnswerFormat, ParsedAnswer } from "./answer.js";
import type { ToolCall } from "./tools.js";

/** Asks the format's parser: of a beginning where `partial`. Rejects where the text is not of the format. */
export type ParseAnswer = (text: string, partial: boolean) => Promise<ParsedAnswer>;

/** Below this many characters each new text is looked at, above it one in so many. */
const shortText = 64;
const growth = 8;

type TextPart = "content" | "reasoning";

/** Reads one answer. */
export class AnswerReader {
  /** Where one of these stands, the part may have ended. */
  readonly #markers: readonly string[];
  /** None of these is in a part's text. */
  readonly #ends: readonly string[];
  readonly #parse: ParseAnswer;
  readonly #emit: (delta: AnswerDelta) => void;
  #text = "";
  /** Characters of #text that were handed on or belong to markers before them. */
  #settled = 0;
  /** Characters that the parser has seen. */
  #seen = 0;
  #open: TextPart | "" = "";
  #said = { content: "", reasoning: "" };
  readonly #calls: { id: string; name: string; arguments: string }[] = [];
  /** Of the last call at the last look. */
  #lastArguments = "";
  #asking: Promise<void> | undefined;
  #ended = false;

  /** @param emit takes what is sure, in order */
  constructor(
    format: Pick<AnswerFormat, "ends" | "words">,
    parse: ParseAnswer,
    emit: (delta: AnswerDelta) => void,
  ) {
    this.#markers = [...format.ends, ...format.words];
    this.#ends = format.ends;
    this.#parse = parse;
    this.#emit = emit;
  }

  /** The calls so far. */
  get toolCalls(): readonly ToolCall[] {
    return this.#calls;
  }

  /** Takes more text. */
  add(text: string): void {
    this.#text += text;
    this.#advance();
  }

  /**
   * Hands on what is left.
   * @param whole the answer ended by itself, so that it should be of the format
   */
  async finish(whole: boolean): Promise<void> {
    this.#ended = true;
    await this.#asking;
    const parsed = await this.#parse(this.#text, !whole).catch(() => undefined);
    if (parsed !== undefined) this.#take(parsed, true);
    if (parsed === undefined || this.#isSilent) this.#giveUp();
  }

  #advance(): void {
    if (this.#ended || this.#asking !== undefined) return;
    if (this.#open !== "" && this.#isPlain(this.#open)) this.#say(this.#open, this.#sure(this.#rest()));
    else if (this.#isDue()) this.#ask();
  }

  /** Whether what came belongs to the part as it is; a parser may leave out space at its beginning. */
  #isPlain(part: TextPart): boolean {
    return !this.#holdsMarker() && (this.#said[part] !== "" || !/^\s/.test(this.#rest()));
  }

  #ask(): void {
    const text = this.#text;
    this.#asking = this.#parse(text, true)
      .then((parsed) => this.#look(text, parsed))
      .catch(() => this.#look(text, undefined))
      .finally(() => {
        this.#asking = undefined;
        this.#advance();
      });
  }

  /** Whether the text has grown enough to be looked at once more. */
  #isDue(): boolean {
    const grown = this.#text.length - this.#seen;
    return grown > 0 && (this.#text.length < shortText || grown * growth >= this.#text.length);
  }

  #rest(): string {
    return this.#text.slice(this.#settled);
  }

  get #isSilent(): boolean {
    return this.#said.content === "" && this.#said.reasoning === "" && this.#calls.length === 0;
  }

  #holdsMarker(): boolean {
    const rest = this.#rest();
    return this.#markers.some((marker) => rest.includes(marker));
  }

  /** The text without what may be the beginning of a marker, and without the space before one. */
  #sure(text: string): string {
    let end = text.length;
    for (const marker of this.#markers) {
      for (let length = Math.min(marker.length - 1, text.length); length > 0; length -= 1) {
        if (!text.endsWith(marker.slice(0, length))) continue;
        end = Math.min(end, text.length - length);
        break;
      }
    }
    return text.slice(0, end).trimEnd();
  }

  /**
   * The text before what ends a part: a call of which too little has come may look
   * like text to the parser.
   */
  #untilEnd(text: string): string {
    const found = this.#ends.map((end) => text.indexOf(end)).filter((at) => at >= 0);
    return found.length === 0 ? text : text.slice(0, Math.min(...found));
  }

  /** Hands on text that directly follows what is settled. */
  #say(part: TextPart, text: string): void {
    if (text === "") return;
    this.#settled += text.length;
    this.#said[part] += text;
    this.#emit({ type: part, text });
  }

  #look(text: string, parsed: ParsedAnswer | undefined): void {
    this.#seen = text.length;
    this.#open = "";
    if (parsed === undefined || this.#ended) return;
    this.#take(parsed, false);
    if (parsed.open === "") return;
    // All of the part is in the text's end, so what was not handed on is, too.
    const said = this.#said[parsed.open];
    const unsaid = parsed[parsed.open].slice(said.length);
    if (!parsed[parsed.open].startsWith(said) || this.#untilEnd(unsaid) !== unsaid) return;
    this.#open = parsed.open;
    this.#settled = text.length - unsaid.length;
  }

  /** Hands on what the parser found and is new. */
  #take(parsed: ParsedAnswer, last: boolean): void {
    this.#takePart("reasoning", parsed, last);
    this.#takePart("content", parsed, last);
    parsed.toolCalls.forEach((call, index) => {
      this.#takeCall(call, index, last || index + 1 < parsed.toolCalls.length);
    });
  }

  #takePart(part: TextPart, parsed: ParsedAnswer, last: boolean): void {
    const said = this.#said[part];
    if (!parsed[part].startsWith(said)) return;
    const unsaid = last ? parsed[part].slice(said.length) : this.#untilEnd(parsed[part].slice(said.length));
    const endsAnswer = part === "content" && parsed.toolCalls.length === 0;
    let text = last && endsAnswer ? unsaid : unsaid.trimEnd();
    if (!last && parsed.open === part) text = this.#sure(unsaid);
    if (text === "") return;
    this.#said[part] += text;
    this.#emit({ type: part, text });
  }

  /**
   * Of a call that still grows, the arguments on which two looks agree: the
   * parser may have closed what was open.
   */
  #takeCall(found: ParsedAnswer["toolCalls"][number], index: number, complete: boolean): void {
    const agreed = complete ? found.arguments : commonBeginning(found.arguments, this.#lastArguments);
    this.#lastArguments = complete ? "" : found.arguments;
    if (found.name === "" || (!complete && agreed.length < 2)) return;
    this.#calls[index] ??= {
      id: found.id || `call_${randomBytes(12).toString("hex")}`,
      name: found.name,
      arguments: "",
    };
    const call = this.#calls[index];
    const isNew = call.arguments === "";
    if (!agreed.startsWith(call.arguments) || (agreed === call.arguments && !isNew)) return;
    const text = agreed.slice(call.arguments.length);
    call.arguments = agreed;
    this.#emit({ type: "tool-call", index, id: call.id, name: call.name, text });
  }

  /** The text is not of the format: what of it was not handed on is said as it is. */
  #giveUp(): void {
    if (this.#calls.length > 0 || (this.#settled === 0 && !this.#isSilent)) return;
    this.#say(this.#open === "" ? "content" : this.#open, this.#rest());
  }
}

function commonBeginning(one: string, other: string): string {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return one.slice(0, length);
}
