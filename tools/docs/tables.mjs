// Markdown tables of options.
import { splitDefault } from "./interfaces.mjs";
import { acceptedBy, defaultOf } from "./schemas.mjs";

// Phrases that say no more than the type does.
const kSaidByType = new Set(["true or false", "a string", "a text", "a function", "an AbortSignal"]);
// A default that can be compared with the schema's.
const kPlainDefault = /^(?:true|false|-?\d+(?:\.\d+)?|"[^"]*")$/;

export function cell(text) {
  return text.replace(/\|/g, "\\|").replace(/\n/g, " ");
}

export function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

// A table of an interface's fields; `shape` is the zod shape that judges them, where one does.
export function optionTable(fields, shape = {}) {
  const rows = fields.map((field) => {
    const schema = shape[field.name];
    const { text, value } = splitDefault(field.text);
    const phrase = schema && acceptedBy(schema);
    const values =
      phrase && !kSaidByType.has(phrase) ? `${code(field.type)}: ${cell(phrase)}` : code(field.type);
    return [code(field.name), values, defaultCell(field, schema, value), cell(text)];
  });
  return table(["option", "values", "default", "meaning"], rows);
}

function defaultCell({ name, optional, text }, schema, value) {
  const given = schema && defaultOf(schema);
  const isPlain = ["number", "boolean", "string"].includes(typeof given);
  if (isPlain && value !== undefined && kPlainDefault.test(value) && JSON.stringify(given) !== value) {
    throw new Error(`${name}: the docstring's default is ${value}, the schema's ${JSON.stringify(given)}`);
  }
  if (value !== undefined) return kPlainDefault.test(value) ? code(value) : cell(value);
  if (isPlain && !/^Default/m.test(text)) return code(JSON.stringify(given));
  return optional ? "–" : "required";
}

export function code(text) {
  return text === "" ? "" : `\`${text.replace(/\|/g, "\\|")}\``;
}
