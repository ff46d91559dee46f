// Renders conversations for one model and takes answers apart, through helper
// processes: a template is a program, and a hostile one must cost nobody but its own
// request. They start on first use and end with the last owner (helper-pool.ts).
import { z } from "zod";
import type { Keywords } from "../constraints/schema-parts.js";
import { InferenceError } from "../errors.js";
import { parsedJson, wellFormedJson } from "../well-formed.js";
import { type AnswerFormat, type AnswerParser, answerFormatSchema, parsedAnswerSchema } from "./answer.js";
import { type HelperKind, HelperPool } from "./helper-pool.js";
import { type Conversation, conversationToWire, finalText, type RenderedChat } from "./messages.js";
import { StandIns } from "./stand-ins.js";
import type { Tool } from "./tools.js";

const timeLimitMs = 5000;
const rememberedStandIns = 16;

/** What a model brings to its template. */
export interface ChatModel {
  /** The template's text; undefined where the model has none. */
  readonly template: string | undefined;
  /** Whether it is the caller's, not the file's. Default false. */
  readonly isGiven?: boolean | undefined;
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
  /** By the tools and the schema they stand for, the last few. */
  readonly #standIns = new Map<string, StandIns>();
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
    const { template, isGiven, ...model } = this.#model;
    const failed = isGiven ? givenFailed : fileFailed;
    if (template === undefined || template.trim() === "") {
      throw new InferenceError(
        "CHAT_TEMPLATE_MISSING",
        "the model's file has no chat template, or an empty one; name one with loadModel's chatTemplate or give a prompt instead of messages",
      );
    }
    const { schema, tools } = conversation;
    const isPlain = schema === undefined && tools === undefined;
    const standIns = isPlain ? undefined : this.#standInsFor(tools?.tools ?? [], schema);
    const wire = { template, ...model, ...conversationToWire(conversation, standIns) };
    const line = wellFormedJson(JSON.stringify(wire));
    const reply = await this.#ask(isPlain ? "chat" : "schema", line, renderedSchema, failed);
    if ("error" in reply) throw failed(reply.error.trim());
    const answer = reply.answer ?? undefined;
    const restored = answer && standIns ? standIns.restored(answer) : answer;
    if (answer !== undefined && restored === undefined) throw failed(otherWords);
    if (!conversation.continuesFinal) return { prompt: reply.prompt, stop: reply.stops, answer: restored };
    const prompt = upToFinal(reply.prompt, finalText(conversation.messages));
    if (prompt === undefined) throw failed(changesFinal);
    return { prompt, stop: reply.stops, answer: undefined };
  }

  /**
   * An answer taken apart, or the beginning of one.
   * @throws InferenceError CHAT_TEMPLATE_FAILED where a text is not of the format
   */
  async parse({ format, parser, generationPrompt }: AnswerParser, text: string, partial: boolean) {
    const request = { text, partial, format, parser, generationPrompt };
    const reply = await this.#ask("chat", JSON.stringify(request), parsedAnswerSchema, fileFailed);
    if ("error" in reply) throw fileFailed(`could not read the answer: ${reply.error.trim()}`);
    return reply;
  }

  #standInsFor(tools: readonly Tool[], schema: Keywords | undefined): StandIns {
    const key = JSON.stringify({ tools, schema });
    const known = this.#standIns.get(key);
    if (known !== undefined) return known;
    const made = new StandIns(tools, schema);
    this.#standIns.set(key, made);
    for (const oldest of this.#standIns.keys()) {
      if (this.#standIns.size > rememberedStandIns) this.#standIns.delete(oldest);
    }
    return made;
  }

  /** What the helper replies, or what it says is wrong; any other words fail the request. */
  async #ask<Answer>(
    kind: HelperKind,
    line: string,
    schema: z.ZodType<Answer>,
    failed: (what: string) => InferenceError,
  ): Promise<Answer | z.infer<typeof errorSchema>> {
    const reply = await this.#helpers.ask(kind, line, failed);
    const known = z.union([errorSchema, schema]).safeParse(parsedJson(reply));
    if (!known.success) throw failed(otherWords);
    return known.data;
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

/** The prompt up to the end of a text that it says last; some templates trim texts. */
function upToFinal(prompt: string, text: string): string | undefined {
  const at = prompt.lastIndexOf(text.trim());
  if (at < 0) return undefined;
  const spaced = text.trimStart();
  return prompt.slice(0, at) + (prompt.startsWith(spaced, at) ? spaced : text.trim());
}

const changesFinal = "does not write the last message as it is, so that it cannot be continued";

const renderedSchema = z.object({
  prompt: z.string(),
  stops: z.array(z.string()),
  answer: answerFormatSchema.nullable(),
});
const otherWords = "could not be run: its process replied with something else";
const errorSchema = z.object({ error: z.string() });

function fileFailed(what: string): InferenceError {
  return new InferenceError("CHAT_TEMPLATE_FAILED", `the chat template ${what}`);
}

/** Of a template that a caller wrote, who looks for the fault there. */
function givenFailed(what: string): InferenceError {
  return fileFailed(`given to loadModel() as chatTemplate ${what}`);
}
