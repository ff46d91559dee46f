// Entries of the attack list that no single request makes: where each is tested, or why it concerns no part
// of this project.

/** Files are from the root of the repository. */
export const elsewhere: readonly (readonly [entry: number, where: string])[] = [
  [10, "test/http/http.test.ts"],
  [14, "src/http/keys.ts"], // by its design: digests of one length, all of them compared each time
  [34, "test/http/attacks-life.test.ts"],
  [35, "src/http/body.ts"], // by its limit: no text of 2^31 bytes gets past a body, nor into a string of Node's
  [40, "test/http/attacks-life.test.ts"],
  [41, "test/chat/render.test.ts"],
  [47, "test/http/attacks-life.test.ts"],
  [53, "test/http/many-streams.test.ts"],
  [54, "test/http/attacks-life.test.ts"],
  [55, "test/http/attacks-life.test.ts"],
  [56, "test/http/attacks-life.test.ts"],
  [57, "test/http/attacks-life.test.ts"],
  [58, "test/engine/cancellation.test.ts"],
  [59, "test/http/life.test.ts"],
  [60, "test/engine/model.test.ts"],
  [61, "test/native/gguf_fuzz_test.cpp"],
  [62, "test/models/malformed-checkpoints.test.ts"],
  [63, "test/native/gguf_file_test.cpp"],
  [64, "test/models/hub/pull.test.ts"],
  [65, "test/engine/lora.test.ts"],
  [66, "test/native/engine_failures_test.cpp"],
  [67, "test/native/llama_device_memory_test.cpp"],
  [68, "test/native/engine_random_test.cpp"],
  [69, "test/native/llama_device_failures_test.cpp"],
  [70, "test/models/hub/processes.test.ts"],
  [71, "test/serverless/lease-clock.test.mjs"],
  [72, "test/serverless/odd-platforms.test.ts"],
  [73, "test/serverless/failing.test.ts"],
  [74, "test/engine/prompt-cache.test.ts"],
  [75, "test/native/prefix_tree_test.cpp"],
  [76, "test/http/attack-list.test.ts"],
  [77, "test/native/prefix_reuse_test.cpp"],
  [78, "test/bench/report.test.ts"],
  [79, "test/cli/chat/parts.test.ts"],
  [80, "test/native.test.ts"],
];
