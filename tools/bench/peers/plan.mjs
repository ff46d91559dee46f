// What is measured beside what, the most important first: groups of contenders that share one start,
// their workloads, and the ratios that ours is to reach, by workload. Each of ours is compared with each
// peer; where there is no peer (`isReversed`), each later contender with the first one.
import { kDecode, kPrompt } from "./workloads.mjs";

const kServed = ["q4_k_m", "q8_0", "q4_1", "q5_0", "q4_0", "f16"];
const kOtherTypes = ["q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl", "q4_k_m", "q5_k_m", "q6_k"];

const all = [...kDecode, kPrompt];

const openvino = (type) => ({
  id: `openvino-${type}`,
  of: [
    { contender: "infernode", weights: `smollm2:${type}` },
    { contender: "openvino", weights: `smollm2:${type}` },
  ],
  workloads: all,
  atLeast: { avx512: [1.4, 1.3, 1.1, 1.0], avx2: [1.9, 2.2, 1.5, 1.3] },
});

const vllm = {
  id: "vllm-awq",
  of: [
    { contender: "infernode-serve", weights: "awq:q4_1" },
    { contender: "infernode-serve", weights: "awq:q5_0" },
    { contender: "vllm", weights: "awq:awq" },
  ],
  workloads: kDecode,
  atLeast: { any: [2, 2, 2] },
};

const llamaServer = (weights) => ({
  id: `llama-server-${weights.replace(":", "-")}`,
  of: [
    { contender: "infernode-serve", weights },
    { contender: "llama-server", weights },
  ],
  workloads: kDecode,
  atLeast: { any: [1.2, 1.5, 1.5] },
});

// No peer: every other type beside Q8_0 of the same model.
const types = {
  id: "types-prompt",
  of: ["q8_0", ...kOtherTypes].map((type) => ({ contender: "infernode", weights: `smollm2:${type}` })),
  workloads: [kPrompt],
  isReversed: true,
  atLeast: { any: [0.9] },
};

const inProcess = (contender, weights, workloads = all) => ({
  id: `${contender}-${weights.replace(":", "-")}`,
  of: [
    { contender: "infernode", weights },
    { contender, weights },
  ],
  workloads,
});

export const groups = [
  openvino("q8_0"),
  openvino("q4_0"),
  vllm,
  ...kServed.map((type) => llamaServer(`smollm2:${type}`)),
  types,
  inProcess("node-llama-cpp", "smollm2:q8_0", [kDecode[0], kDecode[1], kPrompt]),
  inProcess("llama-node", "smollm2:q8_0", [kDecode[0]]), // minutes with more requests
  inProcess("llama-batched-bench", "smollm2:q8_0"),
  inProcess("llama-bench", "smollm2:q8_0", [kDecode[0], kPrompt]),
  ...["q4_k_m", "q8_0", "f16"].map((type) => llamaServer(`60m:${type}`)),
  ...["q4_k_m", "q8_0", "f16"].map((type) => inProcess("llama-batched-bench", `60m:${type}`)),
  llamaServer("gemma3:q4_k_m"),
];

// A group's bars by workload: of the instructions that both sides are restricted to, or of the machine's.
export function barsOf({ atLeast }, { isa, machine }) {
  if (atLeast === undefined) return [];
  const widest = isa === undefined && machine.instructions.includes("AVX512_VNNI") ? "avx512" : "avx2";
  return atLeast.any ?? atLeast[widest];
}
