// C++ and TypeScript as the architecture rules see them: text whose comments
// and literals are blanked out, line for line, and the functions found in it
// by matching braces. An honest approximation, not a parser: it knows strings,
// templates, regular expressions, raw strings and digit separators.

const blank = (text) => text.replace(/[^\n]/g, " ");

const kRegexMayFollow = /(?:^|[=([{,;:!&|?+\-*%<>~^}]|\breturn|\btypeof|\bcase|=>)\s*$/;

// One pattern per thing to blank; the first that matches at a place wins.
const sharedPatterns = [/\/\/[^\n]*/y, /\/\*[\s\S]*?\*\//y, /"(?:[^"\\\n]|\\[\s\S])*"/y];
const cppPatterns = [
  /R"([^(\s]*)\([\s\S]*?\)\1"/y,
  /(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)+'/y,
  ...sharedPatterns,
];
const tsPatterns = [/'(?:[^'\\\n]|\\[\s\S])*'/y, ...sharedPatterns];
const regexLiteral = /\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

// Comments and literals become spaces; everything else keeps its place.
export function stripText(text, language) {
  const patterns = language === "cpp" ? cppPatterns : tsPatterns;
  let out = "";
  let at = 0;
  while (at < text.length) {
    if (language === "ts" && text[at] === "`") {
      const end = templateEnd(text, at);
      out += blank(text.slice(at, end));
      at = end;
      continue;
    }
    let found = null;
    for (const pattern of patterns) {
      found = matchAt(pattern, text, at);
      if (found) break;
    }
    if (!found && language === "ts" && text[at] === "/" && kRegexMayFollow.test(out.slice(-40))) {
      found = matchAt(regexLiteral, text, at);
    }
    out += found ? blank(found) : text[at];
    at += found ? found.length : 1;
  }
  return out;
}

// The place after the template literal that begins at `start`.
function templateEnd(text, start) {
  let depth = 0;
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (depth === 0 && text[at] === "`") return at + 1;
    else if (text.startsWith("${", at)) depth++;
    else if (depth > 0 && text[at] === "{" && text[at - 1] !== "$") depth++;
    else if (depth > 0 && text[at] === "}") depth--;
    else if (depth > 0 && text[at] === "`") at = templateEnd(text, at) - 1;
  }
  return text.length;
}

const kControl =
  /^\s*(?:\}?\s*(?:else|if|for|while|switch|catch|do|try|namespace|class|struct|union|enum|interface|extern)\b)/;
const kFunctionHead =
  /(?:\)\s*(?:const|noexcept|override|final|mutable|async|&|\s)*(?:->[^{;]*|:[^;]*)?|=>)\s*$/;

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
  return { head: head.replace(/\s+/g, " ").slice(0, 60), line, lines };
}
