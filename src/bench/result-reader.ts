// Result files of earlier runs, read back. Only what their readers use is judged; results of other
// versions may have fields that are not known here.
import { readFileSync } from "node:fs";
import { z } from "zod";
import { InferenceError } from "../errors.js";
import { messageOfThrown } from "../thrown.js";
import type { BenchmarkResult } from "./benchmark.js";

const objectOrNull = z.looseObject({}).nullable();

const repeat = z.looseObject({
  requests: z.looseObject({ sent: z.number(), finished: z.number(), failed: z.number() }),
  throughput: objectOrNull,
  latency: z.looseObject({}),
  tokens: z.looseObject({}),
});

const point = z.looseObject({
  load: z.looseObject({ type: z.string() }),
  isComplete: z.boolean(),
  repeats: z.array(repeat),
  overall: z.looseObject({ throughput: objectOrNull, latency: z.looseObject({}) }),
  cost: objectOrNull.default(null), // files of earlier builds have none
});

const result = z.looseObject({
  schema: z.literal("infernode-bench/1"),
  ended: z.looseObject({ reason: z.string() }),
  startedAt: z.string(),
  machine: z.looseObject({ cpu: z.string(), cpus: z.number(), architecture: z.string() }),
  build: z.looseObject({ infernode: z.string(), llamaCpp: z.string() }),
  target: z.looseObject({ type: z.enum(["engine", "endpoint"]) }),
  options: z.looseObject({}),
  price: objectOrNull.default(null),
  workloadFile: z.looseObject({ sha256: z.string() }).nullish(),
  greedyDigest: z.looseObject({ sha256: z.string() }).nullable(),
  nll: z
    .looseObject({
      tokens: z.number(),
      mean: z.number(),
      logProbs: z.array(z.number()),
      answers: objectOrNull,
    })
    .nullable()
    .default(null), // files of earlier builds have none
  nllMissing: z.string().nullable().default(null),
  reference: objectOrNull.default(null),
  cold: objectOrNull.default(null),
  physics: objectOrNull.default(null),
  points: z.array(point),
  saturation: z.array(z.looseObject({ sentence: z.string() })).default([]),
});

/** @throws InferenceError INVALID_OPTION naming the file, and the field where there is one */
export function readResult(path: string): BenchmarkResult {
  const judged = result.safeParse(parsed(path));
  if (judged.success) return judged.data as unknown as BenchmarkResult;
  const [issue] = judged.error.issues;
  const field = issue?.path.length ? `${issue.path.join(".")}: ${issue.message}` : "it is no JSON object";
  throw refusal(`${path} must be a result of infernode bench --json FILE (${field})`);
}

function parsed(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (thrown) {
    throw refusal(`${path} cannot be read: ${messageOfThrown(thrown)}`);
  }
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw refusal(
      `${path} must be a result of infernode bench --json FILE, and is no JSON: ${messageOfThrown(thrown)}`,
    );
  }
}

function refusal(sentence: string): InferenceError {
  return new InferenceError("INVALID_OPTION", sentence);
}
