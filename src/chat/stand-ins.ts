// llama.cpp makes an answer's grammar and parser of the request's tools and schema, by
// rules that are named after theirs: two names that differ in a sign become one, and
// what it cannot convert fails. So it gets stand-ins: tools and arguments with names
// of letters and digits only, whose schemas have the right types and nothing else. In
// what it answers, the true names are put back, and where a stand-in's rule is, the
// rule that we write of the true schema.
import { gbnfLiteral } from "../constraints/gbnf.js";
import { GrammarRules } from "../constraints/grammar-rules.js";
import { SchemaWriter } from "../constraints/schema.js";
import type { Json, Keywords, Parts } from "../constraints/schema-parts.js";
import { isInvalidOption } from "../errors.js";
import { parsedJson } from "../well-formed.js";
import type { AnswerFormat } from "./answer.js";
import { savedParser, type TaggedArgument, TaggedTexts } from "./tagged-texts.js";
import type { Tool } from "./tools.js";

const shareOfTools = 0.4; // of a grammar; the rest is the format's
// llama.cpp takes a second for some 500 that may be left out.
const mostArguments = 250;
const mostMembers = 40; // of an object in them
const mostNames = 2000; // of a request
const deepest = 4; // objects in objects
const schemaMark = "schemaAlias0z";
const alias = /(?:tool|arg)Alias(\d+)z/g;
/** llama.cpp's rule for a schema: the last alias in its name, and what of it. */
const schemaRule = /^(\S*((?:tool|arg)Alias\d+z)((?:-item|-\d+)*)-schema) ::= .*$/;
const classOrLiteral = /\[(?:\\.|[^\]\\])*\]|"(?:\\.|[^"\\])*"/g;

/** A schema of each type that becomes a rule with a name of its own. */
const ofType = {
  object: { type: "object" },
  array: { type: "array", items: {}, minItems: 1 },
  string: { type: "string" },
  number: { type: "number", enum: [0.5] },
  integer: { type: "integer", enum: [1] },
  boolean: { type: "boolean", enum: [true] },
  null: { type: "null", enum: [null] },
} as const;

const noArguments: Keywords = { type: "object", additionalProperties: false };

/** What stands for one request's tools and schema. */
export class StandIns {
  /** In OpenAI's spelling. */
  readonly tools: readonly object[];
  /** Of the answer; undefined where it has none. */
  readonly schema: object | undefined;
  readonly #names: string[] = [];
  readonly #option: "tools" | "jsonSchema";
  #rules: GrammarRules;
  /** Our rules by the alias and what of it: "argAlias3z-item". */
  readonly #ours = new Map<string, TaggedArgument>();
  readonly #tagged: TaggedTexts;
  readonly #schemaRule: string = "";

  /** @throws InferenceError INVALID_OPTION for a schema of the answer that cannot be honoured */
  constructor(tools: readonly Tool[], schema: Keywords | undefined) {
    // Tools that are too large are held to less: what is refused is the schema.
    this.#option = schema === undefined ? "tools" : "jsonSchema";
    this.#rules = new GrammarRules(this.#option, shareOfTools);
    this.#tagged = new TaggedTexts(
      (place) => this.#ours.get(place),
      (text) => this.#restoredText(text),
      (line) => this.#restoredRule(line),
    );
    this.tools = this.#allTools(tools);
    if (schema === undefined) return;
    this.schema = { const: schemaMark };
    this.#schemaRule = new SchemaWriter(schema, this.#rules).write();
  }

  /**
   * What llama.cpp made of the stand-ins, as if it had been made of what they stand for;
   * undefined where it is something else.
   */
  restored(answer: AnswerFormat): AnswerFormat | undefined {
    const parser = this.#restoredParser(answer.parser);
    if (parser === undefined) return undefined;
    const named = (texts: readonly string[]) => texts.map((text) => this.#restoredText(text));
    return {
      ...answer,
      parser,
      grammar: answer.grammar === "" ? "" : this.#restoredGrammar(answer.grammar, answer.parser),
      ends: named(answer.ends),
      words: named(answer.words),
      triggers: answer.triggers.map(({ word, begins }) => ({
        word: this.#restoredText(word),
        begins: this.#restoredText(begins),
      })),
    };
  }

  #allTools(tools: readonly Tool[]): readonly object[] {
    try {
      return tools.map((tool) => this.#tool(tool, tool.parameters as Keywords | undefined));
    } catch (thrown) {
      if (!isInvalidOption(thrown)) throw thrown;
      // Their schemas are too large together: only the names of arguments are held to.
      this.#rules = new GrammarRules(this.#option, shareOfTools);
      this.#ours.clear();
      return tools.map((tool) => this.#tool(tool, namesOnly((tool.parameters ?? {}) as Keywords)));
    }
  }

  #tool({ name }: Tool, given: Keywords = {}): object {
    const own = this.#alias("tool", name);
    const parameters = Object.keys(given).length === 0 ? noArguments : given;
    const writer = new SchemaWriter(parameters, this.#rules, true);
    const parts = writer.document.together([
      writer.parts(parameters, "#"),
      writer.parts({ type: "object" }, "#"),
    ]);
    this.#set(own, parts, writer);
    const shape = this.#object(parts, writer, 0);
    return { type: "function", function: { name: own, parameters: shape } };
  }

  #alias(kind: "tool" | "arg", name: string): string {
    this.#names.push(name);
    return `${kind}Alias${this.#names.length - 1}z`;
  }

  /** An object with the declared properties. */
  #object(parts: Parts, writer: SchemaWriter, depth: number): object {
    const properties: Record<string, object> = {};
    const required: string[] = [];
    const [only = [], ...more] = writer.alternatives(parts);
    const declared = writer.properties(only);
    const isLarge = declared.length > (depth === 0 ? mostArguments : mostMembers);
    if (more.length > 0 || isLarge || depth >= deepest) return ofType.object;
    for (const { name, value, isRequired } of declared) {
      if (this.#names.length >= mostNames) break;
      const own = this.#alias("arg", name);
      properties[own] = this.#value(value, own, writer, depth + 1, isRequired);
      if (isRequired) required.push(own);
    }
    return { type: "object", properties, required };
  }

  /** @param place the alias it belongs to, and what of it */
  #value(parts: Parts, place: string, writer: SchemaWriter, depth: number, isRequired = false): object {
    this.#set(place, parts, writer, isRequired);
    if (parts.length === 0) return {};
    const alternatives = writer.alternatives(parts);
    const kinds = alternatives.flatMap((each) => writer.types(each).map((type) => ({ type, each })));
    const types = [...new Set(kinds.map(({ type }) => type))];
    const isSimple = kinds.length === 1 || types.includes("string");
    if (isSimple && types.length > 1) return { anyOf: types.map((type) => ofType[type]) };
    const shapes = (isSimple ? kinds.slice(0, 1) : kinds).map(({ type, each }, index) => {
      const here = isSimple ? place : `${place}-${index}`;
      if (!isSimple) this.#set(here, each, writer);
      if (type === "object") return this.#object(each, writer, depth);
      if (type !== "array" || depth >= deepest) return ofType[type];
      const items = writer.items(each);
      return items
        ? { ...ofType.array, items: this.#value(items, `${here}-item`, writer, depth + 1) }
        : ofType.array;
    });
    // Where no value is allowed, the rule that we write says so.
    return shapes.length > 1 ? { anyOf: shapes } : (shapes[0] ?? {});
  }

  /** What of the schema stands at a place. */
  #set(place: string, parts: Parts, writer: SchemaWriter, isRequired = false): void {
    const { document } = writer;
    const types = parts.length === 0 ? [] : writer.alternatives(parts).flatMap((each) => writer.types(each));
    const others = types.filter((type) => type !== "string");
    const isText = types.includes("string");
    const rest =
      isText && others.length > 0 ? document.together([parts, writer.parts({ type: others }, "#")]) : [];
    this.#ours.set(place, {
      json: writer.write(parts),
      texts: isText ? writer.texts(parts) : undefined,
      others: rest.length > 0 ? writer.write(rest) : undefined,
      isRequired,
      items: types.includes("array") ? writer.counts(parts) : undefined,
    });
  }

  #name(index: string): string {
    return this.#names[Number(index)] ?? "";
  }

  #restoredText(text: string): string {
    return text.replace(alias, (_, index: string) => this.#name(index));
  }

  #restoredRule(line: string): string {
    return line.replace(classOrLiteral, (part) => {
      if (part.startsWith("[")) return part;
      return part.replace(alias, (_, index: string) => gbnfLiteral(this.#name(index)).slice(1, -1));
    });
  }

  #restoredParser(saved: string): string | undefined {
    if (saved === "") return "";
    const known = savedParser.safeParse(parsedJson(saved));
    if (!known.success) return undefined;
    const { parsers, ...rest } = known.data;
    const restored = parsers.map((parser) => ({
      ...parser,
      ...(parser.literal !== undefined && { literal: this.#restoredText(parser.literal) }),
      ...(parser.delimiters && { delimiters: parser.delimiters.map((text) => this.#restoredText(text)) }),
    }));
    return JSON.stringify({ parsers: restored, ...rest });
  }

  #restoredGrammar(grammar: string, parser: string): string {
    const written = grammar.split("\n");
    const saved = savedParser.safeParse(parsedJson(parser));
    const bound = saved.success ? this.#tagged.bound(written, saved.data) : written;
    const lines = bound.map((line) => {
      const [, name, own, rest] = schemaRule.exec(line) ?? [];
      const ours = name && this.#ours.get(`${own}${rest}`)?.json;
      if (ours) return `${name} ::= ${ours}`;
      const literal = gbnfLiteral(JSON.stringify(schemaMark));
      return this.#restoredRule(line.replace(literal, this.#schemaRule));
    });
    return [...lines.filter((line) => line !== ""), ...this.#rules.lines, ...this.#tagged.lines].join("\n");
  }
}

function namesOnly(parameters: Readonly<Record<string, unknown>>): Keywords {
  const { properties } = parameters as Keywords;
  const isObject = typeof properties === "object" && properties !== null && !Array.isArray(properties);
  const names = isObject ? Object.keys(properties) : [];
  return {
    type: "object",
    properties: Object.fromEntries(names.map((name): [string, Json] => [name, true])),
  };
}
