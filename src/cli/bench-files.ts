// The files that one benchmark writes: JSON after each repeat, the others at the end. Charts are a
// large library, which is loaded only where a report is wanted.
import { basename, join, parse } from "node:path";
import { aiperfJsons } from "../bench/aiperf-json.js";
import type { BenchmarkResult } from "../bench/benchmark.js";
import { csvOf } from "../bench/csv.js";
import { OutputFile } from "../bench/output-file.js";
import { vllmRuns } from "../bench/vllm-json.js";

/** Their paths, as flags name them. */
export interface BenchPaths {
  readonly json: string | undefined;
  readonly csv: string | undefined;
  readonly html: string | undefined;
  /** "vllm=FILE" and "aiperf=FILE". */
  readonly compat: readonly string[] | undefined;
}

/** Files that can be written to. */
export class BenchFiles {
  readonly #json: OutputFile | undefined;
  readonly #csv: OutputFile | undefined;
  readonly #html: OutputFile | undefined;
  readonly #vllm: OutputFile | undefined;
  readonly #aiperf: OutputFile | undefined;

  /** @throws InferenceError INVALID_OPTION where one of them cannot be written */
  constructor({ json, csv, html, compat }: BenchPaths) {
    this.#json = fileAt("--json", json);
    this.#csv = fileAt("--csv", csv);
    this.#html = fileAt("--html", html);
    const pathFor = (tool: string) => compat?.find((each) => each.startsWith(tool))?.slice(tool.length);
    this.#vllm = fileAt("--compat", pathFor("vllm="));
    this.#aiperf = fileAt("--compat", pathFor("aiperf="));
  }

  /** Keeps what is known so far, whatever ends the process. */
  keep(result: BenchmarkResult): void {
    this.#json?.write(`${JSON.stringify(result, null, 1)}\n`);
  }

  /** In the forms of other tools. @returns what was written */
  #compatFiles(result: BenchmarkResult): readonly string[] {
    const files = [
      ...(this.#vllm === undefined ? [] : vllmTexts(this.#vllm.path, vllmRuns(result))),
      ...(this.#aiperf === undefined ? [] : oneEach(this.#aiperf.path, aiperfJsons(result))),
    ];
    for (const [path, text] of files) new OutputFile("--compat", path).write(text);
    return files.map(([path]) => path);
  }

  /** Writes the rest. @returns all files that were written */
  async finish(result: BenchmarkResult): Promise<readonly string[]> {
    this.#csv?.write(csvOf(result));
    if (this.#html !== undefined) {
      const { htmlReport } = await import("../bench/html-report.js");
      this.#html.write(htmlReport(result));
    }
    const own = [this.#json, this.#csv, this.#html].flatMap((file) => file?.path ?? []);
    return [...own, ...this.#compatFiles(result)];
  }
}

type PathAndText = readonly [path: string, text: string];

/**
 * vLLM's tools read three forms: its scripts an object a file (--save-result), its plots of sweeps a list in a
 * summary.json; lines are what --append-result writes.
 */
function vllmTexts(path: string, runs: readonly object[]): readonly PathAndText[] {
  const lines = runs.map((run) => `${JSON.stringify(run)}\n`);
  if (path.endsWith(".jsonl")) return [[path, lines.join("")]];
  if (basename(path) === "summary.json") return [[path, `${JSON.stringify(runs, null, 1)}\n`]];
  return oneEach(path, lines);
}

/** One run a file: FILE, or FILE-1, FILE-2 and so on where there are several. */
function oneEach(path: string, texts: readonly string[]): readonly PathAndText[] {
  return texts.map((text, at) => [texts.length === 1 ? path : numbered(path, at + 1), text]);
}

function numbered(path: string, number: number): string {
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}-${number}${ext}`);
}

function fileAt(flag: string, path: string | undefined): OutputFile | undefined {
  return path === undefined ? undefined : new OutputFile(flag, path);
}
