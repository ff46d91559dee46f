// The names of the engine's options as a request spells them, so that an error names a
// field of the body: topP is top_p, logProbs is logprobs or top_logprobs. Where a body may
// spell an option in several ways, the name is the one that it used.
import type { NameOption, OptionPath } from "../errors.js";
import { type Body, wireNames } from "./fields.js";

/** Where a body may hold what the engine is bound by, in the order they are read. */
const constraints: ReadonlyMap<string, readonly (readonly string[])[]> = new Map([
  [
    "jsonSchema",
    [
      ["guided_json"],
      ["structured_outputs", "json"],
      ["response_format", "json_schema", "schema"],
      ["response_format", "schema"],
      ["json_schema"],
    ],
  ],
  ["regex", [["guided_regex"], ["structured_outputs", "regex"]]],
  ["choice", [["guided_choice"], ["structured_outputs", "choice"]]],
  ["grammar", [["guided_grammar"], ["structured_outputs", "grammar"], ["grammar"]]],
]);

const others: ReadonlyMap<string, readonly string[]> = new Map([
  ["logProbs", ["top_logprobs", "logprobs"]],
  ["promptLogProbs", ["prompt_logprobs", "logprobs"]],
  ["chatVariables", ["chat_template_kwargs"]],
  ["splitReasoning", ["reasoning_format"]],
  ["addSpecial", ["add_special_tokens"]],
  ["inputs", ["input"]],
]);

/** @returns the body's name of an option's path */
export function optionNames(body: Body): NameOption {
  return ([head = "", ...rest]) => {
    const tail = rest.map((step) => (typeof step === "number" ? `[${step}]` : `.${snakeCase(step)}`));
    if (head === "tools" && rest.length > 1) tail.splice(1, 0, ".function");
    return nameOf(String(head), body) + tail.join("");
  };
}

function nameOf(option: string, body: Body): string {
  const places = constraints.get(option);
  if (places !== undefined) return (places.find((place) => holds(body, place)) ?? places[0] ?? []).join(".");
  const names = others.get(option) ?? wireNames(option);
  return names.find((name) => holds(body, [name])) ?? names[0] ?? snakeCase(option);
}

function holds(body: unknown, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return body !== undefined && body !== null;
  return typeof body === "object" && body !== null && holds(Reflect.get(body, name), rest);
}

/** topP -> top_p, for fields whose names differ by spelling alone. */
function snakeCase(name: OptionPath[number]): string {
  return String(name).replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
