// The code blocks of a Markdown document, and what a comment right above one says about
// how it is run:
//   <!-- not run: REASON -->
//   <!-- run after: CODE -->                            CODE goes before a fragment
//   <!-- run by the next block -->                      only written to the file it names
//   <!-- stays running while the next block runs -->    a server
// Every fence becomes a block: what cannot be read is refused, never left out.
import { SetupFailure } from "../setup/failure.mjs";

/** What becomes of a block, by its label. */
const kKinds = {
  js: "run",
  sh: "run",
  ts: "typed",
  ...Object.fromEntries(
    ["text", "json", "yaml", "python", "html", "dockerfile", "jinja"].map((name) => [name, "shown"]),
  ),
};

const kMarks = {
  "run by the next block": { isFile: true },
  "stays running while the next block runs": { staysRunning: true },
};

const kFence = /^( *)(`{3,}|~{3,})(.*)$/;

/**
 * @param {string} text of a document
 * @param {string} file its name, for messages
 * @returns {{ file: string, line: number, label: string, kind: "run" | "typed" | "shown", code: string,
 *   notRun?: string, before?: string, staysRunning?: true, isFile?: true }[]}
 */
export function blocksOf(text, file) {
  const lines = text.split("\n");
  const blocks = [];
  for (let at = 0; at < lines.length; at += 1) {
    const fence = kFence.exec(lines[at]);
    if (fence === null) continue;
    const [, indent, ticks, label] = fence;
    const end = lines.findIndex((line, place) => place > at && line.trim() === ticks);
    const refuse = (sentence) => {
      throw new SetupFailure(`${file}:${at + 1}: ${sentence}`);
    };
    if (end < 0) refuse("the block has no end.");
    const kind = kKinds[label.trim()];
    if (kind === undefined) {
      refuse(`a block is labelled with one of ${Object.keys(kKinds).join(", ")}; it got "${label.trim()}".`);
    }
    const code = lines
      .slice(at + 1, end)
      .map((line) => line.replace(new RegExp(`^ {0,${indent.length}}`), ""));
    const mark = kind === "shown" ? {} : markOf(commentAbove(lines, at), refuse);
    blocks.push({ file, line: at + 1, label: label.trim(), kind, code: `${code.join("\n")}\n`, ...mark });
    at = end;
  }
  refusePairsWithoutEnd(blocks);
  return blocks;
}

/** The text of the HTML comment that ends on the line above, or null. */
function commentAbove(lines, at) {
  let begin = at - 1;
  if (!lines[begin]?.trimEnd().endsWith("-->")) return null;
  while (begin >= 0 && !lines[begin].includes("<!--")) begin -= 1;
  const comment = lines.slice(Math.max(begin, 0), at).join("\n").trim();
  return /^<!--([\s\S]*)-->$/.exec(comment)?.[1].trim() ?? null;
}

function markOf(comment, refuse) {
  if (comment === null) return {};
  const [, notRun] = /^not run: (.+)$/s.exec(comment) ?? [];
  if (notRun !== undefined) return { notRun };
  const [, before] = /^run after:\s*(.+)$/s.exec(comment) ?? [];
  if (before !== undefined) return { before };
  const known = ["not run: …", "run after: …", ...Object.keys(kMarks)];
  return (
    kMarks[comment] ??
    refuse(`the comment above a block says one of "${known.join('", "')}"; it says "${comment}".`)
  );
}

function refusePairsWithoutEnd(blocks) {
  for (const [place, block] of blocks.entries()) {
    const next = blocks[place + 1];
    const ends = next?.kind === "run" && !next.notRun;
    if (block.staysRunning ? ends && !next.staysRunning : ends || !block.isFile) continue;
    throw new SetupFailure(`${block.file}:${block.line}: no block runs after this one, which needs one.`);
  }
}

/** The texts that a block says it prints, in order: comments "// prints TEXT" and "# prints TEXT". */
export function claimsOf({ code, label }) {
  const pattern = label === "sh" ? /# prints:? (.+)$/gm : /\/\/ prints:? (.+)$/gm;
  return [...code.matchAll(pattern)].map(([, text]) => text.trim());
}

/**
 * The first claim that the output does not hold in its place; undefined: it holds all.
 * "…" in a claim stands for anything, white space for any white space.
 */
export function brokenClaim(claims, output) {
  let rest = output;
  for (const claim of claims) {
    const parts = claim.split(/(…|\s+)/).map((part) => {
      if (part === "…") return "[\\s\\S]*?";
      return /^\s+$/.test(part) ? "\\s+" : part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    });
    const found = new RegExp(parts.join("")).exec(rest);
    if (found === null) return claim;
    rest = rest.slice(found.index + found[0].length);
  }
  return undefined;
}
