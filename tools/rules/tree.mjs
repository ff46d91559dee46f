// ARCHITECTURE.md's tree is the real one, both ways: each folder at the top and below native
// and src, each room of native (a file without its extension) and each file directly in src is
// named there once, and what is named exists, also what files of src may import. The decisions that the document cites exist.
import path from "node:path";
import { kDocument, kSocketsWord, parseTree } from "./document.mjs";

const stem = (file) => path.basename(file).replace(/\..*$/, "");

/**
 * Sentences, each with the line of `text`, the document; `files` are the repository's paths,
 * `packages` the names of those it depends on.
 */
export function treeFindings(text, files, packages) {
  const findings = [];
  const report = (line, sentence) => findings.push(`${kDocument}:${line}: ${sentence}`);
  const tree = parseTree(text);
  const folders = foldersOf(files);
  const named = new Map();
  for (const { folder: name, line, lines } of tree) {
    note(named, name, line, report);
    for (const { name: below, line: at } of lines) {
      if (below.endsWith("/")) note(named, `${name}/${below.slice(0, -1)}`, at, report);
    }
    compareRooms(name, line, lines, files, report);
    if (name === "src") checkImports(lines, files, packages, report);
  }
  for (const [name, line] of named) {
    if (!folders.has(name)) report(line, `names the folder ${name}, which does not exist`);
  }
  for (const name of folders) {
    if (mustBeNamed(name) && !isNamed(named, name)) report(1, `does not name the folder ${name}`);
  }
  citedDecisions(text, files, report);
  return findings;
}

function foldersOf(files) {
  const folders = new Set();
  for (const file of files) {
    for (let name = path.dirname(file); name !== "."; name = path.dirname(name)) folders.add(name);
  }
  return folders;
}

// Folders at the top (but .github and the like), those of native, and all of src.
function mustBeNamed(name) {
  return /^(?:[^./][^/]*|native\/.+|src\/.+)$/.test(name);
}

// A folder that is named by those in it, as native is, needs no line of its own.
function isNamed(named, name) {
  return (
    named.has(name) || (!name.includes("/") && [...named.keys()].some((one) => one.startsWith(`${name}/`)))
  );
}

function note(named, name, line, report) {
  if (named.has(name)) report(line, `names the folder ${name} again, after line ${named.get(name)}`);
  else named.set(name, line);
}

// The folders of native and src name their own files.
function compareRooms(folder, line, lines, files, report) {
  if (folder !== "src" && !folder.startsWith("native/")) return;
  const rooms = new Set(
    files.filter((file) => path.dirname(file) === folder && !file.endsWith(".md")).map(stem),
  );
  const seen = new Map();
  for (const { names, line: at } of lines) {
    for (const name of names) {
      if (!rooms.has(name)) report(at, `names ${folder}/${name}, which does not exist`);
      if (seen.has(name)) report(at, `names ${folder}/${name} again, after line ${seen.get(name)}`);
      seen.set(name, at);
    }
  }
  for (const room of rooms) {
    if (!seen.has(room)) report(line, `does not name ${folder}/${room}: put it on the line of its topic`);
  }
}

// What stands right of an arrow is a group, a folder, a file, a package or the word for sockets.
function checkImports(lines, files, packages, report) {
  const known = new Set([kSocketsWord, ...packages, ...lines.map(({ name }) => name.replace(/\/$/, ""))]);
  for (const { name, line, imports } of lines) {
    for (const word of imports) {
      if (!known.has(word) && !files.includes(`src/${word}.ts`))
        report(line, `lets ${name} import ${word}, which is no group, folder, file or package`);
    }
  }
}

function citedDecisions(text, files, report) {
  const decisions = new Set(
    files
      .map((file) => /^docs\/decisions\/(\d{4})-/.exec(file)?.[1])
      .filter((number) => number !== undefined),
  );
  for (const [at, line] of text.split("\n").entries()) {
    for (const [number] of line.matchAll(/\b0\d{3}\b/g)) {
      if (!decisions.has(number)) report(at + 1, `cites decision ${number}, which does not exist`);
    }
  }
}
