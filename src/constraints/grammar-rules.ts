// The rules of a grammar while it is written. Names are numbered, so that two are
// never one, and rules that say the same are one.
import { invalidOption } from "../errors.js";

const maximumBytes = 256 * 1024;
/** What the engine takes, less the few of the rules around these. */
const maximumElements = 199_000;
const maximumSteps = 60_000; // of automata, half a second at most
const maximumParts = 2_000_000;
const mostRepeats = 2000;
const mostRepeatsTogether = 40_000;
const space = "space";

/** Collects rules; each belongs to one grammar. */
export class GrammarRules {
  /** White space between the parts of a JSON text. */
  readonly space = space;
  readonly #option: string;
  readonly #share: number;
  readonly #prefix: string;
  readonly #lines: string[] = [];
  readonly #names = new Map<string, string>();
  #count = 0;
  #bytes = 0;
  #elements = 0;
  #steps = 0;
  #parts = 0;
  /** What the rules of each place of a schema have taken of the limits, as a share. */
  readonly #taken = new Map<string, number>();
  #place = "";
  #repeats = 0;

  /**
   * @param option what the grammar is made of, for errors
   * @param share how much of a grammar's limits these rules may take
   * @param prefix what their names begin with
   */
  constructor(option: string, share = 1, prefix = "j") {
    this.#option = option;
    this.#share = share;
    this.#prefix = prefix;
  }

  /** The name of a rule that says this. */
  add(body: string): string {
    const known = this.#names.get(body);
    if (known !== undefined) return known;
    const name = this.reserve();
    this.#names.set(body, name);
    this.define(name, body);
    return name;
  }

  /** A name whose rule is still to come. */
  reserve(): string {
    this.#count += 1;
    return `${this.#prefix}${this.#count}`;
  }

  /** The rules that follow are made of what stands here in a schema. */
  enter(place: string): void {
    this.#place = place;
  }

  /** @throws InferenceError INVALID_OPTION where the grammar becomes too large */
  define(name: string, body: string): void {
    const line = `${name} ::= ${body}`;
    this.#lines.push(line);
    this.#spend({ bytes: Buffer.byteLength(line) + 1, elements: elementsOf(body) });
  }

  #spend({ bytes = 0, elements = 0, steps = 0, parts = 0 }): void {
    this.#bytes += bytes;
    this.#elements += elements;
    this.#steps += steps;
    this.#parts += parts;
    const written = bytes / maximumBytes + elements / maximumElements;
    const share = written + steps / maximumSteps + parts / maximumParts;
    this.#taken.set(this.#place, (this.#taken.get(this.#place) ?? 0) + share);
    if (this.isFull) this.tooLarge();
  }

  /** The rules, one a line. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /**
   * Counts steps of an automaton, and the parts of expressions that were looked at for them.
   * @throws InferenceError INVALID_OPTION where they become too many
   */
  spend(steps: number, parts: number): void {
    this.#spend({ steps, parts });
  }

  /** A limit of repetitions: infinity where it is, or all of them together are, too high to be counted. */
  limit(most: number): number {
    if (most > mostRepeats) return Number.POSITIVE_INFINITY;
    this.#repeats += most;
    return this.#repeats > mostRepeatsTogether * this.#share ? Number.POSITIVE_INFINITY : most;
  }

  get isFull(): boolean {
    return (
      this.#bytes > maximumBytes * this.#share ||
      this.#elements > maximumElements * this.#share ||
      this.#steps > maximumSteps ||
      this.#parts > maximumParts
    );
  }

  tooLarge(): never {
    throw invalidOption(
      "generate()",
      [this.#option],
      `makes too large a grammar, more than ${maximumBytes >> 10} KiB, ${maximumElements} characters with ` +
        `repetitions written out, or ${maximumSteps} steps${this.#mostTaken()}; ` +
        "shorten its texts, or use fewer patterns and limits of length together",
    );
  }

  /** The deepest place that more than half of it comes from. */
  #mostTaken(): string {
    const below = new Map<string, number>();
    let whole = 0;
    for (const [place, share] of this.#taken) {
      whole += share;
      const steps = place.split("/");
      for (let depth = 1; depth <= steps.length; depth += 1) {
        const above = steps.slice(0, depth).join("/");
        below.set(above, (below.get(above) ?? 0) + share);
      }
    }
    const most = [...below].filter(([place, share]) => place !== "" && share > whole / 2).pop();
    return most === undefined ? "" : `, most of it for ${most[0]}`;
  }
}

/** The rule for white space: as llama.cpp has it, at most one empty line and an indentation. */
export const spaceRule = `${space} ::= | " " | "\\n"{1,2} [ \\t]{0,20}`;

const gbnfToken =
  /"((?:\\(?:x..|u.{4}|U.{8}|.)|[^"\\])*)"|\[(?:\\.|[^\]\\])*\]|[\w-]+|[(|]|[*+?]|\{(\d*)(?:,(\d*))?\}/gsu;
const gbnfCharacter = /\\(?:x..|u.{4}|U.{8}|.)|[^"\\]/gsu;
/** An element that may be left out is a rule of its own, with two ends. */
const ofOptional = 4;

/** How many elements the engine makes of a rule, or a few more. */
function elementsOf(body: string): number {
  let count = 2;
  for (const [token, text, least, most] of body.matchAll(gbnfToken)) {
    if (text !== undefined) count += text.match(gbnfCharacter)?.length ?? 0;
    else if (least !== undefined) count += repeatedElements(Number(least), most);
    else count += token === "(" ? 2 : "*+?".includes(token) ? 2 * ofOptional : 1;
  }
  return count;
}

function repeatedElements(least: number, most: string | undefined): number {
  if (most === undefined) return least + 2;
  return least + 2 + (most === "" ? 2 * ofOptional : ofOptional * (Number(most) - least));
}
