// How far a benchmark is, on stderr: one line that is rewritten where that is a terminal, and a
// line for each load point that is done.
import type { BenchmarkNews } from "../bench/benchmark.js";
import { loadText } from "../bench/load-text.js";
import { pointLine } from "../bench/point-cells.js";
import { fitting } from "./loading-line.js";
import { notice } from "./terminal.js";

const eraseLine = "\r\x1b[K";
const everyMs = 200;

/** @param total load points x repeats; null: a sweep decides */
export function benchmarkProgress(
  total: number | null,
): Required<Pick<BenchmarkNews, "onPhase" | "onRequest" | "onPoint">> {
  let startedMs: number | undefined;
  let shownMs = 0;
  let done = -1;
  let current = "";
  return {
    onPhase: (name) => show(name, ""),
    onRequest({ load, repeat, ended, expected }) {
      const now = performance.now();
      startedMs ??= now; // what came before the first load point says nothing of them
      const name = `${loadText(load)}, repeat ${repeat + 1}`;
      const isNew = name !== current;
      if (isNew) done += 1;
      current = name;
      if (!isNew && now - shownMs < everyMs) return;
      shownMs = now;
      const so = `: ${ended}${expected === null ? "" : ` of ${expected}`} requests`;
      // Repeats count alike, which is rough: later ones have more requests at once.
      const share = total === null ? 0 : (done + (expected === null ? 0.5 : ended / expected)) / total;
      const leftSeconds = ((now - startedMs) / 1000) * (1 / share - 1);
      show(name, leftSeconds > 0 && share > 0 ? `${so}, about ${Math.ceil(leftSeconds)} s left` : so);
    },
    onPoint(point) {
      show("", "");
      notice(pointLine(point));
    },
  };
}

function show(name: string, figures: string): void {
  if (process.stderr.isTTY) process.stderr.write(`${eraseLine}${fitting(name, figures)}`);
}
