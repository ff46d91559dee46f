// Renders conversations for one model, takes answers apart and turns JSON schemas
// into grammars, through a helper process: a template is a program, a schema may
// be as large as a caller likes, and a hostile one must cost nobody but its own
// model. The process starts on first use, never keeps Node alive, and ends when
// idle, when the last owner lets go or when a request takes too long. Requests are
// answered one at a time, in order.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { InferenceError } from "../errors.js";
import type { AnswerFormat, AnswerParser, ParsedAnswer } from "./answer.js";
import { type Conversation, conversationToWire, type RenderedChat } from "./messages.js";

const timeLimitMs = 5000;
const idleLimitMs = 60_000;
const rememberedSchemas = 16;
const maximumReplyBytes = 64 * 2 ** 20;

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

interface Job {
  readonly line: string;
  readonly resolve: (reply: string) => void;
  readonly reject: (error: InferenceError) => void;
  /** The error to reject with, for what went wrong. */
  readonly failed: (what: string) => InferenceError;
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** Renders conversations with one model's template. */
export class ChatRenderer {
  readonly #program: string;
  readonly #model: ChatModel;
  readonly #timeLimitMs: number;
  readonly #queue: Job[] = [];
  #current: Job | undefined;
  #child: Child | undefined;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** By their schemas, the last few. */
  readonly #grammars = new Map<string, string>();
  #owners = 1;

  /**
   * @param program path of the helper program
   * @param limitMs milliseconds one conversation may take
   */
  constructor(program: string, model: ChatModel, limitMs = timeLimitMs) {
    this.#program = program;
    this.#model = model;
    this.#timeLimitMs = limitMs;
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
    const request = { template, ...model, ...conversationToWire(conversation) };
    const reply = JSON.parse(await this.#ask(JSON.stringify(request), failed)) as Reply;
    if (reply.error !== undefined) throw failed(`refused the conversation: ${reply.error.trim()}`);
    return { prompt: reply.prompt ?? "", stop: reply.stops ?? [], answer: reply.answer ?? undefined };
  }

  /**
   * An answer taken apart, or the beginning of one.
   * @throws InferenceError CHAT_TEMPLATE_FAILED where a text is not of the format
   */
  async parse({ format, parser, generationPrompt }: AnswerParser, text: string, partial: boolean) {
    const request = { text, partial, format, parser, generationPrompt };
    const reply = JSON.parse(await this.#ask(JSON.stringify(request), failed)) as Reply & ParsedAnswer;
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
    const reply = JSON.parse(await this.#ask(`{"schema":${schema}}`, schemaFailed)) as Reply;
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

  /** With the last owner, the process ends. */
  release(): void {
    this.#owners -= 1;
    if (this.#owners === 0 && this.#current === undefined) this.#stop();
  }

  #ask(line: string, failed: Job["failed"]): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ line, resolve, reject, failed });
      if (this.#current === undefined) this.#next();
    });
  }

  #next(): void {
    clearTimeout(this.#timer);
    this.#current = this.#queue.shift();
    if (this.#current === undefined) this.#rest();
    else this.#send(this.#current.line);
  }

  #send(line: string): void {
    this.#child ??= this.#start();
    const child = this.#child;
    this.#timer = setTimeout(() => this.#fail(child, this.#tooLong()), this.#timeLimitMs);
    child.stdin.write(`${line}\n`);
  }

  #rest(): void {
    if (this.#owners > 0) this.#timer = setTimeout(() => this.#stop(), idleLimitMs).unref();
    else this.#stop();
  }

  #tooLong(): string {
    return `took longer than ${this.#timeLimitMs} ms`;
  }

  #start(): Child {
    const child = spawn(this.#program, [], { stdio: ["pipe", "pipe", "ignore"], env: {} });
    child.unref();
    // Who waits for the answer keeps the process alive, not the pipes.
    for (const pipe of [child.stdin, child.stdout]) (pipe as Readable & { unref?(): void }).unref?.();
    child.stdin.on("error", () => {}); // its exit tells
    child.stdout.on("data", (chunk: Buffer) => this.#receive(child, chunk));
    child.on("error", (error) => this.#fail(child, `could not be run: ${error.message}`));
    child.on("exit", (code, signal) => this.#fail(child, `ended its process (${signal ?? `exit ${code}`})`));
    return child;
  }

  #receive(child: Child, chunk: Buffer): void {
    if (child !== this.#child || this.#current === undefined) return;
    const end = chunk.indexOf(10);
    this.#received.push(end < 0 ? chunk : chunk.subarray(0, end));
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > maximumReplyBytes) {
      this.#fail(child, `made more than ${maximumReplyBytes >> 20} MiB`);
      return;
    }
    if (end < 0) return;
    const { resolve } = this.#current;
    resolve(Buffer.concat(this.#received).toString());
    this.#forget();
    this.#next();
  }

  /** The process is lost; the conversation it worked on fails, the others go on in another. */
  #fail(child: Child, reason: string): void {
    if (child !== this.#child) return;
    const job = this.#current;
    this.#stop();
    job?.reject(job.failed(reason));
    this.#next();
  }

  #forget(): void {
    this.#received = [];
    this.#receivedBytes = 0;
  }

  #stop(): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    this.#current = undefined;
    this.#forget();
    child?.kill("SIGKILL");
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
