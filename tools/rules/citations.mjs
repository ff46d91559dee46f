// Comments of native code cite what exists: a function as Class::function(), a file by its path in
// the repository. Names of classes that native code does not declare (llama.cpp's) are not judged.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { stripText } from "./source-text.mjs";

const citedMember = /\b([A-Z]\w*)::(~?\w+)/g;
const citedFile = /(?<![\w./-])(?:native|src|test|cmake|docs|tools)\/[\w./-]*\.\w+/g;
const declaration = /\b(?:class|struct)\s+([A-Z]\w*)\b[^;{}()]*\{/g;

/** Sentences about comments in those of `files` below native/ that cite what does not exist. */
export function citationFindings(folder, files) {
  const sources = files
    .filter((file) => /^native\/.*\.(?:h|c|cpp|cu|cuh)$/.test(file))
    .map((file) => {
      const text = readFileSync(path.join(folder, file), "utf8");
      return { file, text, code: stripText(text) };
    });
  const members = membersOf(sources.map(({ code }) => code));
  return sources.flatMap(({ file, text, code }) =>
    commentsOf(text, code).flatMap(([comment, line]) => [
      ...[...comment.matchAll(citedMember)]
        .filter(([, owner, name]) => members.has(owner) && !members.get(owner).has(name))
        .map(([cited]) => `${file}:${line}: cites ${cited}, which does not exist`),
      ...[...comment.matchAll(citedFile)]
        .filter(([cited]) => !existsSync(path.join(folder, cited)))
        .map(([cited]) => `${file}:${line}: cites the file ${cited}, which does not exist`),
    ]),
  );
}

// The words in the bodies of each class, and what is defined outside of them with its name.
function membersOf(codes) {
  const members = new Map();
  for (const code of codes) {
    for (const { 1: name, 0: head, index } of code.matchAll(declaration)) {
      const body = code.slice(index, endOfBody(code, index + head.length));
      members.set(name, new Set([...(members.get(name) ?? []), ...(body.match(/~?\w+/g) ?? [])]));
    }
  }
  for (const code of codes) {
    for (const [, owner, name] of code.matchAll(citedMember)) members.get(owner)?.add(name);
  }
  return members;
}

function endOfBody(code, at) {
  for (let open = 1; open > 0 && at < code.length; at++) {
    if (code[at] === "{") open++;
    else if (code[at] === "}") open--;
  }
  return at;
}

// What follows "//" in each line where stripText() has blanked it out, with the line's number.
function commentsOf(text, code) {
  const stripped = code.split("\n");
  return text.split("\n").flatMap((line, index) => {
    const at = line.search(/\/\/(?!.*\/\/)/);
    return at >= 0 && stripped[index].slice(at).trim() === "" ? [[line.slice(at), index + 1]] : [];
  });
}
