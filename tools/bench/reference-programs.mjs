// llama.cpp's own programs of the pinned tree, built by tools/setup on demand: with our build
// options, or with upstream's defaults. The set-up prints the folder as its last line.
import path from "node:path";
import { jsonResults, results } from "./child.mjs";
import { BenchFailure } from "./failure.mjs";
import { places } from "./places.mjs";

const kBatched = "llama-batched-bench";

export async function referenceFolder(programs, { upstreamDefaults = false } = {}) {
  const onLine = (line) => (path.isAbsolute(line) ? line : undefined);
  const switches = upstreamDefaults ? ["--upstream-defaults"] : [];
  const command = [places.referenceBuild, ...switches, ...programs];
  const what = `building ${programs.join(" and ")}`;
  return (await results(process.execPath, command, onLine, { what })).at(-1);
}

const kTries = 5;

// llama-batched-bench's rows, one for each of `widths`. Its log is written by a thread that it does not wait for
// at its end, so that the last line is lost now and then: a run of one sequence goes last. Of a model whose run
// takes a millisecond more lines are lost: then it runs again.
export async function batchedRows(program, args, widths, options = {}) {
  const all = [...args, "-npl", [...widths, 1].join(","), "--output-format", "jsonl"];
  let rows = [];
  for (let tries = 0; tries < kTries && rows.length < widths.length; tries += 1) {
    rows = await jsonResults(program, all, { what: kBatched, least: 0, ...options });
  }
  const wanted = rows.slice(0, widths.length);
  if (wanted.length !== widths.length || wanted.some(({ pl }, index) => pl !== widths[index])) {
    throw new BenchFailure(`${kBatched} did other work than ${widths}: ${JSON.stringify(rows)}`);
  }
  return wanted;
}
