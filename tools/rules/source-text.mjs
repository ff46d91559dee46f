// C++ as the architecture rules see it: text whose comments and literals are blanked out, line
// for line, and the functions found in it by matching braces. An honest approximation, not a
// parser: it knows strings, raw strings and digit separators.

const blank = (text) => text.replace(/[^\n]/g, " ");

// One pattern per thing to blank; the first that matches at a place wins.
const patterns = [
  /R"([^(\s]*)\([\s\S]*?\)\1"/y,
  /(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)+'/y,
  /\/\/[^\n]*/y,
  /\/\*[\s\S]*?\*\//y,
  /"(?:[^"\\\n]|\\[\s\S])*"/y,
];

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

// Comments and literals become spaces; everything else keeps its place.
export function stripText(text) {
  let out = "";
  let at = 0;
  while (at < text.length) {
    let found = null;
    for (const pattern of patterns) {
      found = matchAt(pattern, text, at);
      if (found) break;
    }
    out += found ? blank(found) : text[at];
    at += found ? found.length : 1;
  }
  return out;
}

const kControl =
  /^\s*(?:\}?\s*(?:else|if|for|while|switch|catch|do|try|namespace|class|struct|union|enum|interface|extern)\b)/;
const kFunctionHead =
  /(?:\)\s*(?:const|noexcept|override|final|mutable|async|&|\s)*(?:->[^{;]*|:[^;]*)?)\s*$/;

// The functions of stripped text: { head, line, lines } with 1-based lines.
export function findFunctions(stripped) {
  const found = [];
  const open = [];
  let headStart = 0;
  for (let at = 0; at < stripped.length; at++) {
    const char = stripped[at];
    if (char === "{") {
      const head = stripped.slice(headStart, at);
      const isFunction = kFunctionHead.test(head) && !kControl.test(head);
      open.push(
        isFunction ? { head: head.trim(), start: headStart + (head.length - head.trimStart().length) } : null,
      );
      headStart = at + 1;
    } else if (char === "}") {
      const scope = open.pop();
      if (scope) found.push(describe(stripped, scope, at));
      headStart = at + 1;
    } else if (char === ";") {
      headStart = at + 1;
    }
  }
  return found;
}

function describe(stripped, { head, start }, end) {
  const line = stripped.slice(0, start).split("\n").length;
  const lines = stripped.slice(start, end).split("\n").length;
  return { head: head.replace(/\s+/g, " "), line, lines };
}
