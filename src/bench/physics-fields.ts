// The fields of what a model costs, its devices can do and its GPUs drew; fields.ts puts them into
// the whole table.
import type { FieldRow } from "./fields.js";

const repeat = "points[].repeats[]";

/** Of cold starts; the same names below cold.runs[] are of one start. */
export const coldRows: readonly FieldRow[] = (
  [
    ["processMs", "process started until its first line of JavaScript ran"],
    ["libraryMs", "infernode imported and llama.cpp's backends loaded"],
    ["weightsMs", "loadModel(); what of the file is in the page cache already is not known"],
    ["contextMs", "createEngine()"],
    [
      "warmupMs",
      "a first request of 32 tokens and one answer token, less the same time of a second one; at least 0",
    ],
    ["firstTokenMs", "that second request"],
    ["totalMs", "all phases added up"],
  ] as const
).flatMap(([name, formula]): FieldRow[] => [
  [`cold.phases.${name}`, "interval", "ms", `${formula}; over the starts`],
  [`cold.runs[].${name}`, "value", "ms", formula],
]);

/** Of the result, and of each repeat. */
export const physicsRows: readonly FieldRow[] = [
  [
    "physics.weightBytes",
    "value",
    "bytes",
    "of all tensors, from the model's header; physics is null for endpoints and with --no-physics",
  ],
  [
    "physics.passBytes",
    "value",
    "bytes",
    "of weights that one pass of one token reads; of mixture-of-experts models the experts that it uses",
  ],
  [
    "physics.kvBytesPerToken",
    "value",
    "bytes",
    "memory of one request's KV cache / its context, as the engine would allocate it",
  ],
  [
    "physics.operationsPerToken",
    "value",
    "operations",
    "2 x weights that one token multiplies; attention comes on top of it",
  ],
  [
    "physics.bytesPerSecond",
    "value",
    "bytes/s",
    "reading weights, measured: 1 / sum over the devices of their part of the weights / probes[].bytesPerSecond",
  ],
  [
    "physics.operationsPerSecond",
    "value",
    "operations/s",
    "multiplying 512 vectors, measured; added up likewise",
  ],
  [
    "physics.datasheetF16OperationsPerSecond",
    "value",
    "operations/s",
    "dense FP16 rate by the GPUs' data sheets, likewise; null of CPUs and of GPUs that infernode plan does not know",
  ],
  [
    "physics.probes",
    "object",
    "",
    "each device that computes: bytesPerSecond (highest of its types'), operationsPerSecond (of this model's mix), and both for each weight type; ggml's own multiplication, timed before the first load point",
  ],
  [
    "physics.weightTypes",
    "object",
    "share",
    "by number type of the weights: the part of those that one token multiplies",
  ],
  [
    "physics.kernels",
    "object",
    "",
    "instruction sets of the CPU backend and infernode's own routines; of GPUs their backends' names",
  ],
  [
    `${repeat}.physics.bytesPerToken`,
    "value",
    "bytes",
    "(decode passes x weights that one reads + decode rows x (mean prompt + mean answer / 2) x kvBytesPerToken) / decode rows",
  ],
  [`${repeat}.physics.decodeBytesPerSecond`, "value", "bytes/s", "the same bytes / engine.decodeMs"],
  [
    `${repeat}.physics.decodeOperationsPerSecond`,
    "value",
    "operations/s",
    "decode rows x (operationsPerToken + 4 x layers x attention width x mean context) / engine.decodeMs",
  ],
  [
    `${repeat}.physics.prefillOperationsPerSecond`,
    "value",
    "operations/s",
    "prompt tokens computed x (2 x weights without the output matrix + 2 x layers x attention width x mean prompt) / engine.prefillMs; too high where prompts were read in passes that generate",
  ],
  [
    `${repeat}.physics.mbu`,
    "value",
    "share",
    "model bandwidth utilization: decodeBytesPerSecond / physics.bytesPerSecond; above 1 where caches hold what the probe's matrices did not fit in",
  ],
  [
    `${repeat}.physics.mfu`,
    "value",
    "share",
    "model FLOPs utilization: all operations / (decodeMs + prefillMs) / datasheetF16OperationsPerSecond",
  ],
  [
    `${repeat}.physics.matrixUse`,
    "value",
    "share",
    "likewise against physics.operationsPerSecond, which was measured",
  ],
  [
    `${repeat}.energy.isValid`,
    "value",
    "",
    "whether the figures beside it hold; energy is null where no GPU of this machine computes, as far as is known",
  ],
  [`${repeat}.energy.reason`, "value", "", "why they do not hold"],
  [
    `${repeat}.energy.gpus`,
    "value",
    "GPUs",
    "that were counted: those that compute; of an endpoint on this machine all of NVML's",
  ],
  [
    `${repeat}.energy.joules`,
    "value",
    "J",
    "over the repeat, warm-up included: difference of the energy counters, or power read every 100 ms by the trapezoidal rule",
  ],
  [`${repeat}.energy.watts`, "value", "W", "joules / time"],
  [`${repeat}.energy.joulesPerOutputToken`, "value", "J", "joules / requests.all.outputTokens"],
];
