// Names of load points and figures as tables and sentences spell them. Pure.
import type { Load } from "./load.js";

/** A load point's name. */
export function loadText(load: Load): string {
  if (load.type === "concurrency") return `concurrency ${load.concurrency}`;
  if (load.type === "trace") return `trace x${load.speed}`;
  return `${digits(load.rate)}/s ${load.process}${load.process === "gamma" ? ` ${load.burstiness}` : ""}`;
}

/** Three digits that count; "-" where there is no value. */
export function digits(value: number | null | undefined): string {
  if (value === undefined || value === null) return "-";
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
