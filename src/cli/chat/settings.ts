// What /set changes: the options of answers, under the names that their flags have. It
// parses; the engine judges.
import { InvalidArgumentError, type Option } from "commander";
import { type Engine, InferenceError } from "../../index.js";
import { type AnswerFlags, answerFlags, modelFlags } from "../flags.js";
import { nearest } from "../nearest.js";
import { refusal } from "../terminal.js";

const switchTexts: ReadonlyMap<string, boolean> = new Map([
  ["on", true],
  ["true", true],
  ["off", false],
  ["false", false],
]);

/** The options of the answers to come. */
export class Settings {
  readonly #options: ReadonlyMap<string, Option>;
  #values: AnswerFlags;

  constructor(values: AnswerFlags) {
    this.#options = new Map(answerFlags().map((option) => [option.name(), option]));
    this.#values = values;
  }

  get values(): AnswerFlags {
    return this.#values;
  }

  /** Names that can be set, as flags spell them. */
  get names(): readonly string[] {
    return [...this.#options.keys()];
  }

  /** What is set, as rows of name, value and meaning. */
  rows(): string[][] {
    const set = this.#values as Readonly<Record<string, unknown>>;
    return [...this.#options.values()].map((option) => {
      const value = set[option.attributeName()];
      return [option.name(), value === undefined ? "default" : String(value), option.description];
    });
  }

  /**
   * Sets an option; "default" unsets it.
   * @throws InferenceError INVALID_OPTION; then nothing has changed
   */
  async set(name: string, text: string, engine: Engine): Promise<void> {
    const option = this.#option(name);
    const values: Record<string, unknown> = { ...this.#values };
    if (text === "default") delete values[option.attributeName()];
    else values[option.attributeName()] = parse(option, text);
    await judgeAnswerFlags(engine, values);
    this.#values = values;
  }

  #option(given: string): Option {
    const name = given
      .replace(/[A-Z]/g, (capital) => `-${capital}`)
      .replaceAll("_", "-")
      .toLowerCase();
    const option = this.#options.get(name);
    if (option !== undefined) return option;
    const atStart = modelFlags().find((flag) => flag.name() === name);
    if (atStart !== undefined) {
      throw refusal(`${name} is chosen when the chat starts: infernode chat --${name} …`);
    }
    const meant = nearest(name, this.names);
    const hint = meant === undefined ? "/set shows the options" : `did you mean ${meant}?`;
    throw refusal(`there is no option ${given}; ${hint}`);
  }
}

function parse(option: Option, text: string): unknown {
  if (option.isBoolean()) {
    const value = switchTexts.get(text);
    if (value === undefined) throw refusal(`${option.name()} must be on or off, got ${text}`);
    return value;
  }
  try {
    return option.parseArg === undefined ? text : option.parseArg(text, undefined);
  } catch (thrown) {
    if (!(thrown instanceof InvalidArgumentError)) throw thrown;
    throw refusal(`${option.name()} must be a number, got ${text}`);
  }
}

/**
 * Has the engine judge options without a generation.
 * @throws InferenceError (rejects) INVALID_OPTION
 */
export async function judgeAnswerFlags(engine: Engine, values: AnswerFlags): Promise<void> {
  try {
    await engine.generate({ ...values, prompt: [0], signal: AbortSignal.abort() });
  } catch (thrown) {
    if (!(thrown instanceof InferenceError) || thrown.code !== "CANCELLED") throw thrown;
  }
}
