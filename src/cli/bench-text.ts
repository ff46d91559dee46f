// A benchmark's result as the command line prints it. Pure: values in, text out.
import type { BenchmarkResult } from "../bench/benchmark.js";
import { pointCells, pointHeading } from "../bench/point-cells.js";
import { remarksOn } from "../bench/remarks.js";
import { table } from "./format.js";

/** A whole result for a person to read. */
export function benchmarkText(result: BenchmarkResult): string {
  const cells = result.points.map(pointCells);
  const shown = cells.length === 0 ? [] : [table([pointHeading, ...cells]), ""];
  return [...shown, ...remarksOn(result)].join("\n");
}
