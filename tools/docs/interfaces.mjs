// Reads the fields of an exported TypeScript interface out of its source text: name, type
// and docstring. Knows this project's form only: one `readonly` field after another, each
// under its docstring.

// Every field of `export interface NAME` in `source`, in order.
export function interfaceFields(source, name) {
  const opening = new RegExp(`^export (?:interface|type) ${name}\\b[^{]*\\{$`, "m").exec(source);
  if (!opening) throw new Error(`there is no interface ${name}`);
  const begin = opening.index + opening[0].length;
  const body = source.slice(begin, source.indexOf("\n}", begin) + 1);
  const field = /(?:\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s*)?readonly (\w+)(\??):\s*([^;]+);/g;
  return Array.from(body.matchAll(field), ([, comment = "", key, optional, type]) => ({
    name: key,
    optional: optional === "?",
    type: shortType(type),
    text: commentText(comment),
  }));
}

// A comment's text without its stars, on one line.
export function commentText(comment) {
  return comment
    .split("\n")
    .map((line) => line.replace(/^\s*\*?\s?/, "").trim())
    .join(" ")
    .replace(/\s+/g, " ")
    .trim();
}

function shortType(type) {
  return type
    .replace(/\s+/g, " ")
    .replace(/ \| undefined$/, "")
    .replace(/^\(\((.*)\)\)$/, "($1)")
    .trim();
}

// A docstring's sentence about its default, apart from the rest.
// { text, value }: value is undefined where the docstring names no default.
export function splitDefault(text) {
  const sentence = /(?:^|\s)Default:? ((?:[^.;"]|"(?:\\.|[^"\\])*"|\.(?=\S))+)([.;])(?:\s|$)/.exec(text);
  if (!sentence) return { text, value: undefined };
  const before = text.slice(0, sentence.index).trim();
  const rest = text.slice(sentence.index + sentence[0].length).trim();
  const after =
    sentence[2] === ";" ? rest.replace(/^[a-z](?![\w]*[.(])/, (letter) => letter.toUpperCase()) : rest;
  return { text: [before, after].filter(Boolean).join(" "), value: sentence[1].trim() };
}
