// The flags of `infernode bench`: what is measured, at which loads, with which requests.
import { InvalidArgumentError, Option } from "commander";
import { parseNumber } from "./flags.js";

/** All of them, in the order of the help text. */
export function benchFlags(): Option[] {
  return [...targetFlags(), ...loadFlags(), ...workloadFlags(), ...engineFlags(), ...costFlags()];
}

function targetFlags(): Option[] {
  return [
    new Option(
      "--url <address>",
      "an endpoint of OpenAI's API, such as http://localhost:8000/v1, or of RunPod's: https://api.runpod.ai/v2/ID",
    ),
    new Option(
      "--api <name>",
      "what is asked there: /chat/completions, /completions, or RunPod's /run with /stream or /status polled (default: chat; of an address that ends in /v2/ID run-stream)",
    ).choices(["chat", "completions", "run-stream", "run-status"]),
    numeric("--poll-interval <ms>", "between two polls of a job, which TTFT carries (default: 100)"),
    new Option("--api-key <key>", "the endpoint's key; other users of this machine may see it"),
    new Option("--api-key-env <name>", "the environment variable that holds the key"),
  ];
}

function loadFlags(): Option[] {
  return [
    new Option(
      "--concurrency <list>",
      'requests in flight, one load point each, or "sweep": 1, 2, 4, … until saturation (default: 1,4,16)',
    ).argParser(parseLoads),
    new Option(
      "--rate <list>",
      'requests per second, one load point each, or "sweep": until requests pile up',
    ).argParser(parseLoads),
    new Option("--arrivals <process>", "when requests of a rate arrive")
      .choices(["poisson", "gamma", "constant"])
      .default("poisson"),
    numeric("--burstiness <number>", "shape of gamma: below 1 more bursts, above 1 fewer (default: 1)"),
    numeric(
      "--requests <count>",
      "measured requests of a repeat (default: 4 x concurrency or rate, at least 16)",
    ),
    numeric("--duration <seconds>", "instead of --requests: seconds in which they begin"),
    numeric("--warmup <count>", "requests before the measured ones (default: as many as are in flight)"),
    numeric("--repeats <count>", "runs of each load point, for confidence intervals (default: 3)"),
    numeric("--slo-ttft <ms>", "a good request's first token comes within (default: 500)"),
    numeric("--slo-itl <ms>", "and 99 % of its gaps between tokens are at most (default: 50)"),
    numeric("--timeout <seconds>", "a request that takes longer has failed (default: 600)"),
    new Option(
      "--reference <file>",
      "fail unless the answers at temperature 0, and the loss of fixed texts, are those of this earlier result",
    ),
    new Option("--no-physics", "do not measure what this machine's devices can do, which takes seconds"),
    new Option("--no-nll", "do not measure the loss of fixed texts and of batched answers"),
    new Option("--no-calibrate", "do not measure this client's own error, which takes seconds"),
  ];
}

function workloadFlags(): Option[] {
  const forms = "N, uniform:LEAST,MOST, normal:MEAN,SD or lognormal:MEAN,SD";
  return [
    new Option("--prompt-tokens <length>", `prompt lengths: ${forms} (default: 128)`),
    new Option("--output-tokens <length>", "answer lengths, likewise (default: 64)"),
    numeric("--shared-prefix <share>", "share of each prompt that all have in common, 0 to 1 (default: 0)"),
    new Option("--prompts <file>", "instead: JSONL of {prompt | messages, max_tokens}"),
    new Option(
      "--trace <file>",
      "instead: times and lengths of real traffic, Azure's CSV or Mooncake's JSONL, at its own times",
    ),
    new Option(
      "--trace-speed <list>",
      "one load point each: 2 replays the trace in half of its time (default: 1)",
    ).argParser((text) => parseList(text)),
    new Option("--turns <count>", `requests of each conversation: ${forms} (default: requests stand alone)`),
    numeric("--users <count>", "conversations at once (default: as many as requests in flight)"),
    numeric("--cancel-rate <share>", "share of requests that the client cancels, 0 to 1 (default: 0)"),
    numeric(
      "--cancel-after <ms>",
      "and how long after they were sent (default: after a random part of the answer)",
    ),
    numeric("-t, --temperature <number>", "0 always picks the likeliest token (default: 0)"),
    numeric("-s, --seed <integer>", "same seed, same requests and arrivals (default: 0)"),
    new Option("--no-ignore-eos", "let answers end before their length"),
  ];
}

function engineFlags(): Option[] {
  return [
    numeric(
      "--slots <count>",
      "requests computed at once (default: the highest --concurrency, 16 for rates)",
    ),
    numeric("--cold <count>", "first start so many processes, and tell how long each phase takes"),
    numeric("-c, --context-length <tokens>", "tokens of prompt and answer (default: what the lengths need)"),
    numeric("--threads <count>", "CPU threads (default: the CPUs this process may use)"),
    new Option("--gpu-layers <count>", 'layers to place on the GPU, or "all" (default)').argParser((text) =>
      text === "all" ? text : parseNumber(text),
    ),
    new Option("--kv-type <type>", "number type of the KV cache (default: f16)").choices([
      "f16",
      "f32",
      "q8_0",
    ]),
  ];
}

/** Files in the form of other tools. */
export function compatFlag(): Option {
  return new Option(
    "--compat <tool=file>",
    "vllm=FILE: the JSON of vLLM's serving benchmark, a file for each repeat, or all in one .jsonl or summary.json; aiperf=FILE: AIPerf's JSON, a file for each repeat; can be given once for each tool",
  ).argParser((text, before: readonly string[] = []) => {
    const [tool] = /^(?:vllm|aiperf)=(?=.)/.exec(text) ?? [];
    if (tool === undefined) throw new InvalidArgumentError("Expected vllm=FILE or aiperf=FILE.");
    if (before.some((each) => each.startsWith(tool)))
      throw new InvalidArgumentError(`Expected one file of ${tool.slice(0, -1)}.`);
    return [...before, text];
  });
}

function costFlags(): Option[] {
  return [
    new Option("--gpu <name>", 'with --url: the GPU there, for its price, such as "RTX 4090"'),
    numeric("--gpus <count>", "with --url: GPUs there (default: 1)"),
    numeric("--price-per-hour <dollars>", "of one GPU, or of a machine without one (default: the table's)"),
    numeric(
      "--traffic <count>",
      "requests per hour to one serverless worker (default: the load's own, of rates and traces)",
    ),
    numeric(
      "--cold-start <seconds>",
      "until a new worker answers (default: the model's loading here; with --url unknown)",
    ),
    numeric("--idle-timeout <seconds>", "billed seconds without a request until a worker stops (default: 5)"),
  ];
}

function numeric(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseNumber);
}

/** "1,4,16", or "sweep". */
function parseLoads(text: string): number[] | "sweep" {
  return text === "sweep" ? text : parseList(text, 'Expected numbers such as 1,4,16, or "sweep".');
}

/** "1,4,16". */
function parseList(text: string, problem = "Expected numbers such as 1,4,16."): number[] {
  const values = text.split(",").map((each) => (each.trim() === "" ? Number.NaN : Number(each)));
  if (values.some((value) => Number.isNaN(value))) throw new InvalidArgumentError(problem);
  return values;
}
