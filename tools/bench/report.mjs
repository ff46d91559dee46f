// Figures as Markdown, for the terminal and for docs/benchmarks.md, where each
// benchmark owns the lines between its two marks and nothing else is touched.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { BenchFailure } from "./failure.mjs";
import { describeMachine } from "./machine.mjs";
import { places } from "./places.mjs";

export const number = (value, digits = 1) => value.toFixed(digits);

export function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

// A benchmark's section: how and where it was measured, then its own parts.
export function section(parts, { command, rows, date }) {
  const busiest = Math.max(0, ...rows.map((row) => row.busiest ?? 0));
  const load =
    rows.length === 0 ? "" : `; before a measurement others used ${Math.round(busiest * 100)} % at most`;
  return [`\`${command}\`, ${date}, ${describeMachine()}${load}.`, ...parts].join("\n\n");
}

// Keeps the raw figures of the last run, for whoever wants other statistics.
export function saveResults(name, results) {
  mkdirSync(places.results, { recursive: true });
  writeFileSync(path.join(places.results, `${name}.json`), JSON.stringify(results, null, 1));
}

export function writeSection(name, text) {
  const [open, close] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const document = readFileSync(places.document, "utf8");
  const [begin, end] = [document.indexOf(open), document.indexOf(close)];
  if (begin < 0 || end < begin)
    throw new BenchFailure(`docs/benchmarks.md has no marks ${open} and ${close}.`);
  writeFileSync(places.document, `${document.slice(0, begin)}${open}\n${text}\n${document.slice(end)}`);
}
