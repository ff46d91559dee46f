// Engine-level figures with the columns and field names of llama-bench and llama-batched-bench, so
// that one reads them beside theirs. Pure: values in, text and rows out.
import type { Model } from "../index.js";
import type { BatchedTest, SingleTest } from "./engine-level.js";
import { buildIdentity, machineIdentity } from "./identity.js";
import { mean, standardDeviation } from "./statistics.js";

/** What every row says beside its figures. */
export interface EngineLevelFacts {
  readonly info: Model["info"];
  readonly path: string;
  readonly threads: number;
  readonly kvType: string;
  readonly backend: string;
}

const singleHeading = ["model", "size", "params", "backend", "threads", "test", "t/s"];
const batchedHeading = ["PP", "TG", "B", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "T s", "S t/s"];
const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

/** Both tables, in Markdown as those tools print them. */
export function engineLevelText(
  facts: EngineLevelFacts,
  single: readonly SingleTest[],
  batched: readonly BatchedTest[],
): string {
  const tables = [
    markdown(
      singleHeading,
      single.map((test) => singleCells(facts, test)),
    ),
    markdown(batchedHeading, batched.map(batchedCells)),
  ];
  return tables.filter((_, at) => [single, batched][at]?.length).join("\n\n");
}

function singleCells({ info, threads, backend }: EngineLevelFacts, test: SingleTest): readonly string[] {
  const { sizeBytes, parameterCount, description } = info;
  const rates = ratesOf(test);
  const spread = rates.length < 2 ? "" : ` ± ${standardDeviation(rates).toFixed(2)}`;
  return [
    ...[description, sizeText(sizeBytes), parametersText(parameterCount), backend, String(threads)],
    (test.nGen === 0 ? `pp${test.nPrompt}` : `tg${test.nGen}`) +
      (test.nDepth > 0 ? ` @ d${test.nDepth}` : ""),
    `${mean(rates).toFixed(2)}${spread}`,
  ];
}

function ratesOf({ nPrompt, nGen, seconds }: SingleTest): readonly number[] {
  return seconds.map((each) => (nPrompt + nGen) / each);
}

function batchedCells(test: BatchedTest): readonly string[] {
  const row = batchedRow(test);
  return [
    ...[row.pp, row.tg, row.pl, row.n_kv].map(String),
    ...[row.t_pp.toFixed(3), row.speed_pp.toFixed(2), row.t_tg.toFixed(3), row.speed_tg.toFixed(2)],
    ...[row.t.toFixed(3), row.speed.toFixed(2)],
  ];
}

/** llama-batched-bench's fields. */
export function batchedRow({ pp, tg, pl, ppSeconds, tgSeconds }: BatchedTest) {
  const nKv = pl * (pp + tg);
  const seconds = ppSeconds + tgSeconds;
  return {
    ...{ pp, tg, pl, n_kv: nKv, t_pp: ppSeconds, speed_pp: (pl * pp) / ppSeconds },
    ...{ t_tg: tgSeconds, speed_tg: (pl * tg) / tgSeconds, t: seconds, speed: nKv / seconds },
  };
}

/** llama-bench's fields, as far as they mean something here. */
export function singleRow(facts: EngineLevelFacts, test: SingleTest) {
  const { info, path, threads, kvType, backend } = facts;
  const nanoseconds = test.seconds.map((seconds) => seconds * 1e9);
  const rates = ratesOf(test);
  const spread = (values: readonly number[]) => (values.length < 2 ? 0 : standardDeviation(values));
  return {
    ...{ build_commit: buildIdentity().llamaCpp, cpu_info: machineIdentity().cpu, backends: backend },
    ...{ model_filename: path, model_type: info.description, model_size: info.sizeBytes },
    ...{ model_n_params: info.parameterCount, n_threads: threads, type_k: kvType, type_v: kvType },
    ...{ n_prompt: test.nPrompt, n_gen: test.nGen, n_depth: test.nDepth },
    ...{ avg_ns: mean(nanoseconds), stddev_ns: spread(nanoseconds) },
    ...{ avg_ts: mean(rates), stddev_ts: spread(rates), samples_ns: nanoseconds, samples_ts: rates },
  };
}

function sizeText(bytes: number): string {
  return bytes >= gibibyte ? `${(bytes / gibibyte).toFixed(2)} GiB` : `${(bytes / mebibyte).toFixed(2)} MiB`;
}

function parametersText(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(2)} B` : `${(count / 1e6).toFixed(2)} M`;
}

function markdown(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heading.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padStart(widths[at] ?? 0)).join(" | ")} |`;
  return [
    line(heading),
    `|${widths.map((width) => `-${"-".repeat(width)}:`).join("|")}|`,
    ...rows.map(line),
  ].join("\n");
}
