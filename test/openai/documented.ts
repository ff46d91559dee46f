// The tables of docs/openai.md, which say where this API differs and why. Tests
// compare them with what is.
import { readFileSync } from "node:fs";

const text = readFileSync(new URL("../../docs/openai.md", import.meta.url), "utf8");

/** The rows of the table below a heading, each a list of its cells without marks of code. */
export function tableBelow(heading: string): readonly (readonly string[])[] {
  const begin = text.indexOf(`\n## ${heading}\n`);
  if (begin < 0) throw new Error(`docs/openai.md has no heading "${heading}"`);
  const section = text.slice(begin + 1).split(/\n## /)[0] ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("|"));
  const rows = lines.map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.replaceAll("`", "").trim()),
  );
  if (rows.length < 3) throw new Error(`there is no table below "${heading}"`);
  return rows.slice(2);
}

/** Its first columns, joined; each row must give a reason in its last one. */
export function rowsOf(heading: string, columns: number): readonly string[] {
  return tableBelow(heading).map((cells) => {
    if (cells.length !== columns + 1 || (cells.at(-1) ?? "").length < 8) {
      throw new Error(`"${heading}" has a row without a reason: ${cells.join(" | ")}`);
    }
    return cells.slice(0, columns).join(" | ");
  });
}
