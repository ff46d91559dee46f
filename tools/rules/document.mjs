// ARCHITECTURE.md as the rules read it: the first code block below "## The tree". In it
//   native/core/: prose                     a folder of the repository
//     topic: room · room{,_a,_b} (0004)     files of that folder without their extensions
//     bench/: prose → basics, index         a folder of src, and what its files may import
// Braces are expanded as a shell does, what stands in parentheses is a remark, and a line
// that is indented by four spaces or more continues the one above.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

export const kDocument = "ARCHITECTURE.md";
/** In a list of imports: Node's modules for the network. */
export const kSocketsWord = "sockets";

export function readDocument(folder) {
  return readFileSync(path.join(folder, kDocument), "utf8");
}

/** The packages of package.json, which a list of imports may name. */
export function packagesOf(folder) {
  const file = path.join(folder, "package.json");
  if (!existsSync(file)) return new Set();
  const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(file, "utf8"));
  return new Set([...Object.keys(dependencies), ...Object.keys(devDependencies)]);
}

/**
 * Entries { folder, line, lines }, where `lines` are those below the folder's own:
 * { name, line, names, imports }. A name that ends in "/" is a folder and has no `names`;
 * `imports` is empty where the line has no arrow. Throws an Error with the line's number
 * where the block cannot be read.
 */
export function parseTree(text) {
  const folders = [];
  for (const { line, text: statement } of statements(text)) {
    const [, indent, name, rest] = /^( *)([^ :][^:]*):(?: (.*))?$/.exec(statement) ?? [];
    if (name === undefined)
      throw new Error(`${kDocument}:${line}: expected "folder/: prose" or "topic: room · room"`);
    if (indent === "") {
      if (!name.endsWith("/")) throw new Error(`${kDocument}:${line}: a folder ends in "/": ${name}`);
      folders.push({ folder: name.slice(0, -1), line, lines: [] });
    } else if (folders.length === 0) {
      throw new Error(`${kDocument}:${line}: "${name}" stands below no folder`);
    } else {
      folders.at(-1).lines.push(entry(name, line, rest ?? ""));
    }
  }
  return folders;
}

/** The block's lines, each with what continues it. */
function statements(text) {
  const lines = text.split("\n");
  const heading = lines.findIndex((line) => line.startsWith("## The tree"));
  const open = lines.findIndex((line, at) => at > heading && line.startsWith("```"));
  const close = lines.findIndex((line, at) => at > open && line.startsWith("```"));
  if (heading === -1 || open === -1 || close === -1)
    throw new Error(`${kDocument}: expected a code block below a heading "## The tree"`);
  const found = [];
  for (let at = open + 1; at < close; at++) {
    if (lines[at].trim() === "") continue;
    if (/^ {4}/.test(lines[at]) && found.length > 0) found.at(-1).text += ` ${lines[at].trim()}`;
    else found.push({ line: at + 1, text: lines[at].trimEnd() });
  }
  return found;
}

function entry(name, line, rest) {
  const bare = rest.replace(/\([^)]*\)/g, " ");
  const arrow = bare.indexOf("→");
  const words = (list) => list.split(/[\s,·]+/).filter(Boolean);
  const before = arrow === -1 ? bare : bare.slice(0, arrow);
  return {
    name,
    line,
    names: name.endsWith("/")
      ? []
      : before
          .split(/[\s·]+/)
          .filter(Boolean)
          .flatMap(expand),
    imports: arrow === -1 ? [] : words(bare.slice(arrow + 1)),
  };
}

/** `a{,_b,_c}` is a, a_b and a_c. */
function expand(word) {
  const [, before, list, after] = /^([^{}]*)\{([^{}]*)\}(.*)$/.exec(word) ?? [];
  return list === undefined ? [word] : list.split(",").flatMap((part) => expand(`${before}${part}${after}`));
}
