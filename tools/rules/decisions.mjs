// The form of a decision record: title, date and, before anything else, what was decided.
//   # 0001 Title
//
//   2026-11-22 · accepted
//
//   **Decided.** One sentence, two at most.
// No two records have one number. Of the paragraph only its place is judged here; that it is plain is for who reviews it.
import { readFileSync } from "node:fs";
import path from "node:path";

const record = /^docs\/decisions\/(\d{4})-[^/]*\.md$/;

/** A sentence for each of `files` that is a decision record of another form. */
export function decisionFindings(folder, files) {
  const holders = new Map();
  return files.flatMap((file) => {
    const number = record.exec(file)?.[1];
    if (number === undefined) return [];
    const holder = holders.get(number);
    if (holder !== undefined) return [`${file}:1: ${holder} has this number already; take a free one`];
    holders.set(number, file);
    const problem = problemOf(number, readFileSync(path.join(folder, file), "utf8").split("\n"));
    return problem === undefined ? [] : [`${file}:${problem}`];
  });
}

/** "line: sentence" of the first thing that is not as it must be. */
function problemOf(number, [title = "", afterTitle, date = "", afterDate, decided = ""]) {
  if (!title.startsWith(`# ${number} `)) return `1: expected the title "# ${number} …"`;
  if (afterTitle !== "" || afterDate !== "" || !/^\d{4}-\d{2}-\d{2} · \S/.test(date))
    return `3: expected the date and the state, "2026-11-22 · accepted", between two empty lines`;
  if (!/^\*\*Decided\.\*\* \S/.test(decided))
    return `5: expected what was decided, in one sentence or two: "**Decided.** …"`;
  return undefined;
}
