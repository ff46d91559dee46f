// Links of Markdown files that lead nowhere: relative paths, and anchors by GitHub's rules.
// Links to other hosts are not followed.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

const kLink = /\[(?:[^[\]]|\[[^[\]]*\])*\]\(<?([^()\s>]+(?:\([^()\s]*\)[^()\s>]*)?)>?(?:\s+"[^"]*")?\)/g;
const kReference = /^\[[^\]^]+\]:\s+<?(\S+?)>?(?:\s+"[^"]*")?\s*$/gm;

// Every Markdown file that git tracks or would track, relative to `root`.
export function markdownFiles(root) {
  const args = ["-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.md"];
  const listed = execFileSync("git", args, { encoding: "utf8" }).split("\0").filter(Boolean);
  return [...new Set(listed)].filter((file) => existsSync(path.join(root, file))).sort();
}

// Sentences about links of `file` that lead nowhere. `isShipped`, where given, says which
// files a reader of this file has.
export function brokenLinks(root, file, isShipped) {
  const anchors = new Map(); // of each file once: a reference page links to itself a thousand times
  const anchorsIn = (absolute) => {
    if (!anchors.has(absolute)) anchors.set(absolute, anchorsOf(readFileSync(absolute, "utf8")));
    return anchors.get(absolute);
  };
  return linksOf(readFileSync(path.join(root, file), "utf8")).flatMap(({ line, target }) => {
    const problem = problemOf({ root, file, isShipped, anchorsIn }, target);
    return problem === undefined ? [] : [`${file}:${line}: ${target} ${problem}`];
  });
}

function problemOf({ root, file, isShipped, anchorsIn }, target) {
  if (/^[a-z][\w+.-]*:/i.test(target)) return undefined;
  const [given, anchor] = target.split("#");
  const aim = given === "" ? file : path.normalize(path.join(path.dirname(file), decodeURI(given)));
  const absolute = path.join(root, aim);
  if (aim.startsWith("..") || !existsSync(absolute)) return "does not exist";
  if (isShipped && !isShipped(aim.replace(/\/$/, ""))) return "is not in the package, which this file is in";
  if (anchor === undefined) return undefined;
  if (!aim.endsWith(".md") || statSync(absolute).isDirectory())
    return "has an anchor and is no Markdown file";
  return anchorsIn(absolute).has(anchor) ? undefined : "has no such heading";
}

// Links outside code, with their lines.
export function linksOf(markdown) {
  const prose = withoutCode(markdown);
  return [...prose.matchAll(kLink), ...prose.matchAll(kReference)].map((match) => ({
    line: prose.slice(0, match.index).split("\n").length,
    target: match[1],
  }));
}

// The anchors of a file's headings, and those written as HTML.
export function anchorsOf(markdown) {
  const written = [...withoutFences(markdown).matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id]) => id);
  return new Set([...written, ...headingsOf(markdown).map(({ anchor }) => anchor)]);
}

// A file's headings in order: level, text and anchor.
export function headingsOf(markdown) {
  const taken = new Set();
  return Array.from(withoutFences(markdown).matchAll(/^(#{1,6})\s+(.+?)\s*#*$/gm), ([, marks, text]) => {
    const slug = slugOf(text);
    let anchor = slug;
    for (let count = 1; taken.has(anchor); count += 1) anchor = `${slug}-${count}`;
    taken.add(anchor);
    return { level: marks.length, text, anchor };
  });
}

function slugOf(heading) {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\\(.)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replace(/ /g, "-");
}

// The same text with code made blank, so that lines keep their numbers.
function withoutCode(markdown) {
  const blank = (code) => code.replace(/[^\n]/g, " ");
  return withoutFences(markdown).replace(/(`+)(?!`)[^\n]*?[^`\n]\1(?!`)/g, blank);
}

function withoutFences(markdown) {
  const blank = (code) => code.replace(/[^\n]/g, " ");
  return markdown.replace(/^ *(```+|~~~+)[^\n]*\n[\s\S]*?^ *\1\s*$/gm, blank);
}
