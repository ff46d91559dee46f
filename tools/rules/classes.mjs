// The size of native's classes. The lines of a class are those of the header that declares it and of
// each file of the same folder that defines one of its functions, so that dividing a class into
// chapters does not make it smaller. What a .cpp file declares for itself has that file's limit.
import path from "node:path";
import { findFunctions, stripText } from "./source-text.mjs";

const kClassLines = 400;
const kPrivateFunctions = 20;

/** Sentences; `texts` maps the repository's paths to their texts. */
export function classFindings(texts) {
  const stripped = [...texts].filter(([file]) => /^native\/.*\.(?:cpp|h)$/.test(file));
  const sources = stripped.map(([file, text]) => sourceOf(file, text));
  const findings = [];
  for (const header of sources.filter(({ file }) => file.endsWith(".h"))) {
    for (const { name, line, body } of classesOf(header.text)) {
      const report = (sentence) => findings.push(`${header.file}:${line}: ${name} ${sentence}`);
      const own = sources.filter(
        ({ file, heads }) =>
          file !== header.file && path.dirname(file) === path.dirname(header.file) && defines(heads, name),
      );
      const lines = own.reduce((sum, source) => sum + source.lines, header.lines);
      if (own.length > 0 && lines > kClassLines) {
        const files = own.map(({ file }) => path.basename(file)).join(", ");
        report(`has ${lines} lines with ${files}, more than ${kClassLines}`);
      }
      const count = privateFunctions(body);
      if (count > kPrivateFunctions) report(`has ${count} private functions, more than ${kPrivateFunctions}`);
    }
  }
  return findings;
}

function sourceOf(file, text) {
  const stripped = stripText(text);
  const heads = file.endsWith(".cpp") ? findFunctions(stripped).map(({ head }) => head) : [];
  return { file, text: stripped, heads, lines: linesOf(text) };
}

const linesOf = (text) => text.split("\n").length - 1;

// The classes and structs of a namespace, each with the text between its braces.
function* classesOf(text) {
  const declaration = /^(?:class|struct) (\w+)(?: final)?(?:\s*:[^{;]*)?\s*\{/gm;
  for (const found of text.matchAll(declaration)) {
    const begin = found.index + found[0].length;
    yield {
      name: found[1],
      line: linesOf(text.slice(0, found.index)) + 1,
      body: text.slice(begin, endOfBlock(text, begin)),
    };
  }
}

// Where the brace is closed that was opened before `begin`.
function endOfBlock(text, begin) {
  let depth = 1;
  let at = begin;
  for (; at < text.length && depth > 0; at++) depth += text[at] === "{" ? 1 : text[at] === "}" ? -1 : 0;
  return at - 1;
}

// The last name before a head's arguments is the function's own.
function defines(heads, name) {
  const own = new RegExp(`^[^(]*\\b${name}::(?:\\w+::)*(?:~?\\w+|operator[^(]*)\\(`);
  return heads.some((head) => own.test(head));
}

function privateFunctions(body) {
  let open = false;
  let count = 0;
  for (const whole of withoutBlocks(body).split("\n")) {
    const line = whole.replace(/<[^;]*>/g, ""); // std::function<void()>
    const access = /^\s*(public|protected|private):/.exec(line);
    if (access) open = access[1] === "private";
    else if (open && /^ {2}(?! )(?!friend |using )[^=]*?\w\(/.test(line)) count++;
  }
  return count;
}

// What nested types and inline functions have between their braces is not the class's own.
function withoutBlocks(body) {
  let depth = 0;
  let out = "";
  for (const char of body) {
    if (char === "}") depth--;
    out += depth > 0 && char !== "\n" ? " " : char;
    if (char === "{") depth++;
  }
  return out;
}
