// Traces of real traffic: when requests came and how long they were, without their text. Two public
// forms, told apart by the file's first line: Azure's CSV with the columns TIMESTAMP, ContextTokens
// and GeneratedTokens, and Mooncake's JSONL, whose hash_ids name blocks of 512 prompt tokens.
import { z } from "zod";
import { type InputFile, type InputLine, inputRefusal, jsonOf } from "./input-file.js";

/** A request of a trace. */
export interface TraceRequest {
  /** Milliseconds after the first one. */
  readonly atMs: number;
  readonly promptTokens: number;
  /** 0 is recorded of answers that never began; 1 is asked for then. */
  readonly outputTokens: number;
  /** Names of the prompt's blocks of `traceBlockTokens`; equal names are equal text. Null: not told. */
  readonly blocks: readonly number[] | null;
}

/** Tokens of a block; a prompt's last one may have fewer. */
export const traceBlockTokens = 512;

/** @returns by time @throws InferenceError INVALID_OPTION naming the file and the line */
export function traceIn({ lines }: InputFile): readonly TraceRequest[] {
  const [first, ...rest] = lines;
  const requests = first?.text.startsWith("{") ? lines.map(mooncakeRequest) : azureRequests(first, rest);
  const startMs = requests.reduce((least, { atMs }) => Math.min(least, atMs), Infinity);
  return requests
    .map((request) => ({ ...request, atMs: request.atMs - startMs }))
    .sort((left, right) => left.atMs - right.atMs);
}

const mostTokens = 2 ** 24;
const length = z.int().min(0).max(mostTokens);
const mooncakeLine = z.object({
  timestamp: z.number().min(0),
  input_length: length.min(1),
  output_length: length,
  hash_ids: z.array(z.int()).optional(),
});

function mooncakeRequest({ text, place }: InputLine): TraceRequest {
  const { data } = mooncakeLine.safeParse(jsonOf(text));
  if (data === undefined) {
    throw refusal(
      `${place} must be an object such as {"timestamp": 0, "input_length": 655, "output_length": 52, "hash_ids": [0, 1]}, with times in milliseconds and lengths in tokens`,
    );
  }
  const { timestamp: atMs, input_length: promptTokens, output_length: outputTokens, hash_ids: blocks } = data;
  const wanted = Math.ceil(promptTokens / traceBlockTokens);
  if (blocks !== undefined && blocks.length !== wanted) {
    throw refusal(
      `${place} must have ${wanted} hash_ids, one for each ${traceBlockTokens} of its ${promptTokens} prompt tokens, and has ${blocks.length}`,
    );
  }
  return { atMs, promptTokens, outputTokens, blocks: blocks ?? null };
}

const azureColumns = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"] as const;

function azureRequests(heading: InputLine | undefined, rows: readonly InputLine[]): TraceRequest[] {
  const names = heading?.text.replace(/^\uFEFF/, "").split(",") ?? [];
  const [time, context, generated] = azureColumns.map((name) =>
    names.findIndex((each) => each.trim() === name),
  );
  if (time === undefined || context === undefined || generated === undefined || time < 0) {
    throw refusal(
      `${heading?.place} must be the heading ${azureColumns.join(",")} of Azure's traces, or a JSON object of Mooncake's`,
    );
  }
  if (rows.length === 0) throw refusal(`${heading?.place} must be followed by a request on each line`);
  return rows.map(({ text, place }) => {
    const cells = text.split(",");
    const atMs = timeOf(cells[time] ?? "");
    const [promptTokens, outputTokens] = [countOf(cells[context]), countOf(cells[generated])];
    if (atMs === undefined || !promptTokens || outputTokens === undefined) {
      throw refusal(
        `${place} must have a time and two numbers of tokens, such as 2023-11-16 18:17:03.9799600,4808,10`,
      );
    }
    return { atMs, promptTokens, outputTokens, blocks: null };
  });
}

/** A number of tokens; undefined where a column is missing or is none. */
function countOf(cell: string | undefined): number | undefined {
  const value = /^\d+$/.test(cell?.trim() ?? "") ? Number(cell) : Number.NaN;
  return value <= mostTokens ? value : undefined;
}

/** "2023-11-16 18:17:03.9799600", also with a zone; without one it is UTC. More than milliseconds count. */
function timeOf(cell: string): number | undefined {
  const [, date, clock, fraction = "0", zone = "Z"] =
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?$/.exec(cell.trim()) ?? [];
  const atMs = Date.parse(`${date}T${clock}${zone}`);
  return Number.isNaN(atMs) ? undefined : atMs + Number(`0.${fraction}`) * 1000;
}

function refusal(sentence: string): Error {
  return inputRefusal("--trace", sentence);
}
