// What a benchmark is told: types, limits and defaults, judged once before anything is loaded
// or asked.
import { z } from "zod";
import { flag, integer, judge, number, numberAbove, refuseWhole } from "../engine/judge.js";
import { gpuNamed } from "../models/plan/gpu-names.js";
import { type Lengths, lengthForms, longest, parseLengths } from "./lengths.js";
import type { Load } from "./load.js";

const mostRequests = 10_000_000;
const mostAtOnce = 65_536;
const defaultConcurrency = [1, 4, 16];
const defaultSlots = 16;
const mostSlots = 256;
const sweepSlots = 64;
const sweepSeconds = 10;
/** Tokens of a context beside prompt and answer: tokenizers do not count to the token. */
const spareTokens = 32;
/** What the digest and the loss of fixed texts need (digest.ts, gate-texts.ts), in vocabularies of 4,096 tokens, too. */
const gateTokens = 192;
const mostTurns = 1000;
const turnForms = `4, uniform:2,8, normal:4,2 or lognormal:4,2 (at most ${mostTurns} requests)`;

const apis = ["chat", "completions", "run-stream", "run-status"] as const;
const apiNames = '"chat", "completions", "run-stream" or "run-status"';
const listForms = 'a list of numbers, or "sweep"';

const gpuPhrase =
  'a GPU of `infernode plan`, such as "RTX 4090"; of another one leave it out and give --price-per-hour';

function lengths(forms: string = lengthForms, most = Infinity) {
  return z.string(forms).transform((text, context): Lengths => {
    const parsed = parseLengths(text);
    if (parsed !== undefined && longest(parsed) <= most) return parsed;
    context.addIssue({ code: "custom", message: forms });
    return z.NEVER;
  });
}

function path() {
  return z.string("a file's path").min(1, "a file's path");
}

function key() {
  return z.string("a string of one line").regex(/^[\x20-\x7e]+$/, "printable ASCII characters");
}

/** The options; what is left out has the default that is written here. */
export const benchmarkSchema = z
  .strictObject({
    model: z.string("a model's name").min(1, "a model's name").optional(),
    url: z
      .string("an http:// or https:// address")
      .refine(isWebAddress, "an http:// or https:// address")
      .optional(),
    api: z.enum(apis, apiNames).optional(),
    pollInterval: numberAbove(0, 60_000).default(100),
    apiKey: key().optional(),
    concurrency: z.union([z.literal("sweep"), z.array(integer(1, mostAtOnce), listForms)]).optional(),
    rate: z.union([z.literal("sweep"), z.array(numberAbove(0, 1e6), listForms)]).optional(),
    arrivals: z.enum(["poisson", "gamma", "constant"], '"poisson", "gamma" or "constant"').default("poisson"),
    burstiness: numberAbove(0, 1000).default(1),
    requests: integer(1, mostRequests).optional(),
    duration: numberAbove(0, 86_400).optional(),
    warmup: integer(0, mostRequests).optional(),
    repeats: integer(1, 1000).default(3),
    seed: integer(0, Number.MAX_SAFE_INTEGER).default(0),
    promptTokens: lengths().prefault("128"),
    outputTokens: lengths().prefault("64"),
    sharedPrefix: number(0, 1).default(0),
    prompts: path().optional(),
    trace: path().optional(),
    traceSpeed: z.array(numberAbove(0, 1e6), "a list of numbers").optional(),
    turns: lengths(turnForms, mostTurns).optional(),
    users: integer(1, mostAtOnce).optional(),
    cancelRate: number(0, 1).default(0),
    cancelAfter: numberAbove(0, 1e9).optional(),
    gpu: z
      .string(gpuPhrase)
      .refine((name) => gpuNamed(name) !== undefined, gpuPhrase)
      .optional(),
    gpus: integer(1, 1024).optional(),
    pricePerHour: numberAbove(0, 1e6).optional(),
    traffic: numberAbove(0, 1e9).optional(),
    coldStart: number(0, 86_400).optional(),
    idleTimeout: number(0, 86_400).default(5),
    temperature: number(0, 100).default(0),
    ignoreEos: flag().default(true),
    sloTtft: numberAbove(0, 1e9).default(500),
    sloItl: numberAbove(0, 1e9).default(50),
    timeout: numberAbove(0, 86_400).default(600),
    reference: path().optional(),
    nll: flag().default(true),
    calibrate: flag().default(true),
    physics: flag().default(true),
    cold: integer(1, 1000).optional(),
    slots: integer(1, mostSlots).optional(),
    contextLength: integer(16, 2 ** 24).optional(),
    threads: integer(1, 512).optional(),
    gpuLayers: z
      .union([integer(0, 100_000), z.literal("all")], 'an integer from 0 to 100000 or "all"')
      .optional(),
    kvType: z.enum(["f16", "f32", "q8_0"], '"f16", "f32" or "q8_0"').optional(),
  })
  .superRefine((options, context) => {
    refuseMixedWorkloads(options, context);
    if (options.requests !== undefined && options.duration !== undefined)
      refuseWhole(context, "cannot be given with --requests: one of them ends a repeat", ["duration"]);
    if (options.url !== undefined) {
      for (const name of ["slots", "contextLength", "threads", "gpuLayers", "kvType"] as const) {
        if (options[name] !== undefined)
          refuseWhole(context, "is of engines in this process, and --url names an endpoint", [name]);
      }
    }
    for (const name of ["gpu", "gpus"] as const) {
      if (options.url === undefined && options[name] !== undefined)
        refuseWhole(context, "needs --url: GPUs of an engine in this process are found", [name]);
    }
    if (options.url !== undefined && options.cold !== undefined)
      refuseWhole(context, "is of models in this process, and --url names an endpoint", ["cold"]);
    if (options.url === undefined && options.apiKey !== undefined)
      refuseWhole(context, "needs --url: an engine in this process asks for no key", ["apiKey"]);
  });

/** Options of which one makes another meaningless. */
function refuseMixedWorkloads(
  options: Readonly<Record<string, unknown>> & { readonly sharedPrefix: number; readonly cancelRate: number },
  context: z.RefinementCtx,
): void {
  const isGiven = (name: string) => options[name] !== undefined;
  const refuse = (name: string, problem: string) => refuseWhole(context, problem, [name]);
  if (isGiven("trace") && isGiven("prompts"))
    refuse("trace", "cannot be given with --prompts: each of them is the workload");
  for (const source of ["trace", "prompts"]) {
    if (!isGiven(source)) continue;
    const problem = `is of prompts that are drawn, and --${source} names a file of requests`;
    if (isGiven("turns")) refuse("turns", problem);
    if (options.sharedPrefix > 0) refuse("sharedPrefix", problem);
  }
  if (isGiven("traceSpeed") && !isGiven("trace")) refuse("traceSpeed", "needs --trace");
  if (isGiven("users") && !isGiven("turns")) refuse("users", "needs --turns: other requests have no users");
  if (isGiven("cancelAfter") && options.cancelRate === 0)
    refuse("cancelAfter", "needs --cancel-rate, the share of requests to cancel");
}

/** As a caller gives them. */
export type BenchmarkOptions = z.input<typeof benchmarkSchema>;

/** With defaults, frozen. */
export type JudgedBenchmark = Readonly<
  Omit<z.output<typeof benchmarkSchema>, "api"> & { api: (typeof apis)[number] }
>;

/** @throws InferenceError INVALID_OPTION naming the option */
export function judgeBenchmark(given: BenchmarkOptions): JudgedBenchmark {
  const { api, ...options } = judge("bench()", benchmarkSchema, given);
  return Object.freeze({ ...options, api: api ?? usualApi(options.url) });
}

/** The load points that are listed, in the order in which they run; sweeps add theirs (sweep.ts). */
export function loadsOf(options: JudgedBenchmark): readonly Load[] {
  const { concurrency, rate, arrivals, burstiness, trace, traceSpeed } = options;
  const isOther = concurrency !== undefined || rate !== undefined;
  const levels = listed(concurrency) ?? (isOther || trace !== undefined ? [] : defaultConcurrency);
  // A trace's requests at other loads are not at their own times, too, unless these are asked for.
  const speeds = traceSpeed ?? (trace === undefined || isOther ? [] : [1]);
  return [
    ...levels.map((level): Load => ({ type: "concurrency", concurrency: level })),
    ...(listed(rate) ?? []).map(
      (each): Load => ({ type: "rate", rate: each, process: arrivals, burstiness }),
    ),
    ...speeds.map((speed): Load => ({ type: "trace", speed })),
  ];
}

function listed(loads: readonly number[] | "sweep" | undefined): readonly number[] | undefined {
  return loads === "sweep" ? [] : loads;
}

/** Conversations at once. */
export function usersOf(load: Load, { users }: JudgedBenchmark): number {
  return users ?? atOnceOf(load);
}

/** Requests in flight; of rates, which have no such number, those of a second. */
function atOnceOf(load: Load): number {
  if (load.type === "concurrency") return load.concurrency;
  return load.type === "rate" ? Math.ceil(load.rate) : 0;
}

/** How many requests one repeat of a load point has; of a trace, all of its own. */
export function amountOf(load: Load, { requests, duration: seconds, warmup, rate }: JudgedBenchmark) {
  if (load.type === "trace") return { warmup: warmup ?? 0, requests, seconds };
  const atOnce = atOnceOf(load);
  // Whether requests pile up is seen over a time that is long beside one of them.
  const isSwept = load.type === "rate" && rate === "sweep";
  const enough = isSwept ? Math.max(32, Math.ceil(sweepSeconds * load.rate)) : Math.max(16, 4 * atOnce);
  return {
    warmup: warmup ?? atOnce,
    requests: requests ?? (seconds === undefined ? enough : undefined),
    seconds,
  };
}

/**
 * The shape of an engine that can hold the highest load of the options.
 * @param traceTokens of a trace's longest request
 */
export function engineShape(options: JudgedBenchmark, traceTokens?: number) {
  const atOnce = loadsOf(options).map((load) => (load.type === "concurrency" ? load.concurrency : 0));
  const highest = Math.max(0, ...atOnce);
  const isSweep = options.concurrency === "sweep" || options.rate === "sweep";
  const drawn = longest(options.promptTokens) + longest(options.outputTokens) + spareTokens;
  const turns = options.turns === undefined ? 1 : longest(options.turns);
  const needed = traceTokens === undefined ? Math.ceil(drawn * turns) : traceTokens + spareTokens;
  return {
    slots: options.slots ?? Math.min(Math.max(highest, isSweep ? sweepSlots : 0) || defaultSlots, mostSlots),
    contextLength:
      options.contextLength ?? (options.prompts === undefined ? Math.max(needed, gateTokens) : undefined),
    queueLimit: Math.min(Math.max(highest, 1024), 65_536),
  };
}

/** An address like that of RunPod's endpoints has jobs; what streams there lies below /openai/v1. */
function usualApi(url: string | undefined): (typeof apis)[number] {
  const hasJobs = url !== undefined && /^\/v2\/[^/]+(?:\/(?:run|runsync))?\/?$/.test(new URL(url).pathname);
  return hasJobs ? "run-stream" : "chat";
}

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
