// Renders conversations for one model, takes answers apart and turns JSON schemas
// into grammars, through helper processes: a template is a program, a schema may
// be as large as a caller likes, and a hostile one must cost nobody but its own
// request. They start on first use and end with the last owner (helper-pool.ts).
import { InferenceError } from "../errors.js";
import { wellFormedJson } from "../well-formed.js";
import type { AnswerFormat, AnswerParser, ParsedAnswer } from "./answer.js";
import { HelperPool } from "./helper-pool.js";
import { type Conversation, conversationToWire, type RenderedChat } from "./messages.js";

const timeLimitMs = 5000;
const rememberedSchemas = 16;

/** What a model brings to its template. */
export interface ChatModel {
  /** The template's text; undefined where the model has none. */
  readonly template: string | undefined;
  readonly bos: string;
  readonly eos: string;
  /** Whether the tokenizer adds `bos` itself. */
  readonly addBos: boolean;
}

/** A rendered conversation, and how its answer is to be read. */
export interface WrittenChat extends RenderedChat {
  /** Undefined where every answer is text. */
  readonly answer: AnswerFormat | undefined;
}

/** Renders conversations with one model's template. */
export class ChatRenderer {
  readonly #model: ChatModel;
  readonly #helpers: HelperPool;
  /** By their schemas, the last few. */
  readonly #grammars = new Map<string, string>();
  #owners = 1;

  /**
   * @param program path of the helper program
   * @param limitMs milliseconds one request to it may take
   */
  constructor(program: string, model: ChatModel, limitMs = timeLimitMs) {
    this.#model = model;
    this.#helpers = new HelperPool(program, limitMs);
  }

  /**
   * @throws InferenceError CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED
   */
  async render(conversation: Conversation): Promise<WrittenChat> {
    const { template, ...model } = this.#model;
    if (template === undefined) {
      throw new InferenceError(
        "CHAT_TEMPLATE_MISSING",
        "the model's file has no chat template; name one with loadModel's chatTemplate or give a prompt instead of messages",
      );
    }
    const line = wellFormedJson(JSON.stringify({ template, ...model, ...conversationToWire(conversation) }));
    const { schema, tools } = conversation;
    const kind = schema === undefined && tools === undefined ? "chat" : "schema";
    const reply = JSON.parse(await this.#helpers.ask(kind, line, failed)) as Reply;
    if (reply.error !== undefined) throw failed(reply.error.trim());
    return { prompt: reply.prompt ?? "", stop: reply.stops ?? [], answer: reply.answer ?? undefined };
  }

  /**
   * An answer taken apart, or the beginning of one.
   * @throws InferenceError CHAT_TEMPLATE_FAILED where a text is not of the format
   */
  async parse({ format, parser, generationPrompt }: AnswerParser, text: string, partial: boolean) {
    const request = { text, partial, format, parser, generationPrompt };
    const line = JSON.stringify(request);
    const reply = JSON.parse(await this.#helpers.ask("chat", line, failed)) as Reply & ParsedAnswer;
    if (reply.error !== undefined) throw failed(`could not read the answer: ${reply.error.trim()}`);
    return reply;
  }

  /**
   * GBNF for the JSON texts that a schema allows.
   * @param schema its text
   * @throws InferenceError INVALID_OPTION
   */
  async schemaGrammar(schema: string): Promise<string> {
    const known = this.#grammars.get(schema);
    if (known !== undefined) return known;
    const line = `{"schema":${schema}}`;
    const reply = JSON.parse(await this.#helpers.ask("schema", line, schemaFailed)) as Reply;
    if (reply.grammar === undefined) throw schemaFailed(`cannot be used: ${(reply.error ?? "").trim()}`);
    this.#grammars.set(schema, reply.grammar);
    for (const oldest of this.#grammars.keys()) {
      if (this.#grammars.size > rememberedSchemas) this.#grammars.delete(oldest);
    }
    return reply.grammar;
  }

  /** Another owner, who calls release() too. */
  retain(): this {
    this.#owners += 1;
    return this;
  }

  /** With the last owner, the processes end. */
  release(): void {
    this.#owners -= 1;
    if (this.#owners === 0) this.#helpers.close();
  }
}

interface Reply {
  readonly prompt?: string;
  readonly stops?: readonly string[];
  readonly answer?: AnswerFormat | null;
  readonly grammar?: string;
  readonly error?: string;
}

function failed(what: string): InferenceError {
  return new InferenceError("CHAT_TEMPLATE_FAILED", `the chat template ${what}`);
}

function schemaFailed(what: string): InferenceError {
  return new InferenceError("INVALID_OPTION", `generate(): jsonSchema ${what}`);
}
