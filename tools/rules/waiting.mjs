// Tests wait for what they wait for, not for a time: a sleep is too short on a slow machine and
// lost on a fast one. This is the list of the files that do wait by the clock, and why nothing else
// is possible; native code sleeps in one place only. Native code reads a clock in the files of a
// second list only, and uses the environment in those of a third: everything else is handed the time
// and the values, so that tests can set them.
import { readFileSync } from "node:fs";
import path from "node:path";

const slowWork = "the work under test takes its time: what is measured is what happens meanwhile";
const absence = "that something does not happen can only be seen after a while";
const otherProcess = "another process or the system tells of no change: it is asked again and again";
const ownLimit = "a limit of the test itself, so that it fails instead of hanging";
const chaos = "faults and calls come by chance, at any time";
const theTime = "a time is what is tested";

/** File, how many places in it sleep or set a timer, and why. */
const allowed = new Map([
  ["native/core/failures.h", [1, "an end without memory is tried again when memory may be back"]],
  ["test/native/llama_barrier_test.cpp", [1, theTime]],
  ["test/native/llama_lora_test.cpp", [1, ownLimit]],
  ["test/bench/programs/endpoint.mjs", [1, slowWork]],
  ["test/chat/answer-reader.test.ts", [1, chaos]],
  ["test/cli/bench.test.ts", [1, otherProcess]],
  ["test/cli/serve-data.test.ts", [1, slowWork]],
  ["test/cli/serve-handler.test.ts", [1, theTime]],
  ["test/cli/serve-idle.test.ts", [3, otherProcess]],
  ["test/clients/runpod_client.py", [1, otherProcess]],
  ["test/endpoint/model-sleep.test.ts", [1, absence]],
  ["test/endpoint/scene.ts", [1, slowWork]],
  ["test/fixtures/programs/accepted-alone.mjs", [1, absence]],
  ["test/helpers/terminal.ts", [1, ownLimit]],
  ["test/http/attacks-life.test.ts", [1, "the system refuses connections that come faster than it accepts"]],
  ["test/models/hub/processes.test.ts", [1, otherProcess]],
  ["test/serverless/cases-e-stream.test.ts", [1, slowWork]],
  ["test/serverless/cases-h-life.test.ts", [5, theTime]],
  ["test/serverless/cases-j-local.test.ts", [1, slowWork]],
  ["test/serverless/cases-k-log.test.ts", [2, chaos]],
  ["test/serverless/local-callers.test.ts", [1, slowWork]],
  ["test/serverless/odd-platforms.test.ts", [1, theTime]],
  ["test/serverless/what-is-delivered.test.ts", [1, absence]],
  ["test/serverless/wire-client.test.ts", [1, theTime]],
  ["test/serverless/workers/worker.mjs", [3, slowWork]],
  ["test/setup/setup.test.mjs", [1, slowWork]],
  ["test/soak/job-soak.mjs", [2, chaos]],
  ["test/soak/kill-handler.mjs", [2, slowWork]],
  ["test/text-generation/ping-recorder.mjs", [1, theTime]],
  ["test/text-generation/worker-pull.test.ts", [1, otherProcess]],
]);

/** File, and why it reads the clock itself. A benchmark need not be listed. */
const clocks = new Map([
  ["native/cpu/llama_barrier.cpp", "ggml calls the barrier and hands it no clock: how long a thread spins"],
  ["native/model/cpu_cores.cpp", "the clock of the one CpuCores that all engines share; tests pass another"],
  ["native/model/llama_matrix_probe.cpp", "it measures how fast this machine multiplies"],
  ["native/model/llama_model.cpp", "how long a load took, which is only reported"],
  ["native/napi/engine_wrap.cpp", "the clock that the addon passes to an engine"],
  ["test/native/grammar_vocabulary_test.cpp", "a bound of time is what is tested"],
  ["test/native/llama_barrier_test.cpp", "CPU time is what is tested: a waiting thread must use none"],
  ["test/native/model_mutation_test.cpp", "how long the mutants took, which is only printed"],
]);

const watched = /^(?:test|native)\/.*\.(?:ts|mts|mjs|py|c|cpp|h|cu)$/;
const waits =
  /(?<![\w.])(?:setTimeout|setInterval)\(|\bawait (?:sleep|pause)\(|\bsleep_for\(|\bsleep_until\(|(?:\.|->)wait_(?:for|until)\(|\busleep\(|\btime\.sleep\(/g;

const native = /^(?:test\/)?native\/(?!.*_bench\.cpp$).*\.(?:c|cpp|h|cu)$/;
const clockReads =
  /\b(?:steady_clock|system_clock|high_resolution_clock|clock_gettime|gettimeofday|timespec_get|ggml_time_\w+)\b/;

const withoutComments = (folder, file) =>
  readFileSync(path.join(folder, file), "utf8").replace(/(?:^|\s)(?:\/\/|#) .*$/gm, "");

/** Sentences about native files that read a clock and are not listed so, or are and do not. */
export function clockFindings(folder, tracked, list = clocks) {
  const reading = tracked.filter(
    (file) => native.test(file) && clockReads.test(withoutComments(folder, file)),
  );
  const unlisted = reading.filter((file) => !list.has(file));
  const stale = [...list.keys()].filter((file) => !reading.includes(file));
  return [
    ...unlisted.map(
      (file) =>
        `${file}: reads a clock and is not listed: take the time from the caller, or say in tools/rules/waiting.mjs why that is impossible`,
    ),
    ...stale.map((file) => `tools/rules/waiting.mjs: lists ${file} as reading a clock, which it does not`),
  ];
}

/** File, and why it reads or writes the environment itself. */
const environments = new Map([
  ["native/model/cuda_libraries.cpp", "CUDA's own variables name its folders, as its programs read them"],
  ["native/model/llama_abort.cpp", "ggml reads whether to fork a debugger from the environment only"],
  ["test/native/engine_random_test.cpp", "the seed to repeat a failure with"],
  ["test/native/limited_device/limited_device.cpp", "a backend is loaded without arguments"],
  ["test/native/llama_limited_device.h", "a backend is loaded without arguments: how many devices it has"],
  ["test/native/model_fixture.h", "how much a long test does"],
]);

const environmentUses = /\b(?:secure_)?getenv\b|\b(?:un)?setenv\b|\bputenv\b|\benviron\b/;

/** Sentences about native files that use the environment and are not listed so, or are and do not. */
export function environmentFindings(folder, tracked, list = environments) {
  const using = tracked.filter(
    (file) => native.test(file) && environmentUses.test(withoutComments(folder, file)),
  );
  return [
    ...using
      .filter((file) => !list.has(file))
      .map(
        (file) =>
          `${file}: uses the environment and is not listed: take the value from the caller, or say in tools/rules/waiting.mjs why that is impossible`,
      ),
    ...[...list.keys()]
      .filter((file) => !using.includes(file))
      .map((file) => `tools/rules/waiting.mjs: lists ${file} as using the environment, which it does not`),
  ];
}

/** Sentences about files that wait by the clock and are not listed so. */
export function waitingFindings(folder, tracked, list = allowed) {
  const found = new Map();
  for (const file of tracked) {
    if (!watched.test(file) || file.startsWith("test/rules/")) continue;
    const count = [...withoutComments(folder, file).matchAll(waits)].length;
    if (count > 0) found.set(file, count);
  }
  const findings = [];
  for (const [file, count] of found) {
    const [listed = 0] = list.get(file) ?? [];
    if (count > listed)
      findings.push(
        `${file}: waits by the clock in ${count} places, ${listed} are listed: wait for the event itself, or say in tools/rules/waiting.mjs why that is impossible`,
      );
  }
  for (const [file, [listed]] of list) {
    const count = found.get(file) ?? 0;
    if (count < listed)
      findings.push(`tools/rules/waiting.mjs: lists ${listed} waits of ${file}, which has ${count}`);
  }
  return findings;
}
