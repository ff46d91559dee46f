// What the physics of a result's load points are, as sentences below its table. Pure.
import type { BenchmarkResult } from "./benchmark.js";
import type { RepeatFigures } from "./figures.js";
import { digits, loadText } from "./load-text.js";
import type { PointResult } from "./point.js";
import { mean } from "./statistics.js";

/** Nothing where nothing was measured. */
export function physicsLines({ physics, points }: BenchmarkResult): readonly string[] {
  const energy = points.flatMap(energyLine);
  if (physics === null) return energy;
  const { bytesPerSecond, operationsPerSecond, weightTypes, probes } = physics;
  const types = Object.entries(weightTypes).map(([type, share]) => `${percent(share)} ${type}`);
  const rates = `${digits(bytesPerSecond / 1e9)} GB/s of weights and ${digits(operationsPerSecond / 1e9)} GFLOP/s`;
  return [
    `${probes.map(({ device }) => device).join(" + ")} reads ${rates}, measured before the run; the model's weights are ${types.join(", ")}.`,
    ...points.flatMap(pointLine),
    ...energy,
  ];
}

function pointLine({ load, repeats }: PointResult): string[] {
  const of = (value: (physics: NonNullable<RepeatFigures["physics"]>) => number | null) => {
    const known = repeats.flatMap(({ physics }) => (physics === null ? [] : (value(physics) ?? [])));
    return known.length === 0 ? null : mean(known);
  };
  const [bytes, mbu] = [of((each) => each.decodeBytesPerSecond), of((each) => each.mbu)];
  if (bytes === null || mbu === null) return [];
  const [mfu, use] = [of((each) => each.mfu), of((each) => each.matrixUse)];
  const parts = [
    `generating reads ${digits(bytes / 1e9)} GB/s, keys and values included (MBU ${percent(mbu)})`,
    ...(mfu === null ? [] : [`MFU ${percent(mfu)} of the data sheet's dense FP16 rate`]),
    ...(use === null ? [] : [`${percent(use)} of the measured matrix rate`]),
  ];
  return [`At ${loadText(load)}, ${parts.join("; ")}.`];
}

function energyLine({ load, repeats }: PointResult): string[] {
  const all = repeats.flatMap(({ energy }) => energy ?? []);
  if (all.length === 0) return [];
  const invalid = all.find(({ isValid }) => !isValid);
  if (invalid !== undefined) return [`Energy at ${loadText(load)} is not valid: ${invalid.reason}.`];
  const perToken = all.flatMap(({ joulesPerOutputToken }) => joulesPerOutputToken ?? []);
  const watts = mean(all.map((each) => each.watts ?? 0));
  const tokens = perToken.length === 0 ? "" : `, ${digits(mean(perToken))} J per output token`;
  const gpus = all[0]?.gpus ?? 0;
  return [`${gpus} ${gpus === 1 ? "GPU" : "GPUs"} at ${loadText(load)}: ${digits(watts)} W${tokens}.`];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
