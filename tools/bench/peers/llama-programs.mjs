// llama-batched-bench and llama-bench of the pinned tree: no texts, no sampling, no requests. Each
// measurement is a process of its own, timed by itself without its loading.
import { onCores, results } from "../child.mjs";
import { BenchFailure } from "../failure.mjs";
import { repeatedRows } from "../reference.mjs";
import { referenceEnvironment, referenceProgram } from "./reference.mjs";
import { isPrompt } from "./workloads.mjs";

// One answer for each repetition of the workload, as worker.mjs answers.
function contender(name, settings, measure) {
  return {
    title: name,
    settings,
    version: () => "of the pinned tree",
    prepare: ({ programs }) => referenceProgram(name, programs),
    async start({ programs }, task) {
      const program = await referenceProgram(name, programs);
      return { measure: (workload) => measure(program, task, workload), stop: async () => {} };
    },
  };
}

export const llamaBatchedBench = contender(
  "llama-batched-bench",
  "-npp -ntg -npl -t -b 2048 -ub 512 -ngl 0 --no-kv-unified; its prompt's and its tokens' time together",
  async (program, { model, threads }, { requests, promptTokens, newTokens, repeats }) => {
    const task = { model, threads, sequences: requests, promptTokens, newTokens, repeats };
    const command = onCores(threads, [program]);
    const rows = await repeatedRows(command, "--no-kv-unified", task, referenceEnvironment(program));
    return rows.map((row) => ({
      wallMs: (row.t_pp + row.t_tg) * 1000,
      promptTokens: Array(requests).fill(row.pp),
      generatedTokens: Array(requests).fill(row.tg),
    }));
  },
);

export const llamaBench = contender(
  "llama-bench",
  "-p or -n, -t -ngl 0 -r; a prompt alone or 128 tokens from an empty context, after a warm-up",
  async (program, { model, threads }, workload) => {
    const { requests, promptTokens, newTokens, repeats } = workload;
    if (requests !== 1) throw new BenchFailure("llama-bench computes one sequence only.");
    const sizes = isPrompt(workload) ? ["-p", promptTokens, "-n", 0] : ["-p", 0, "-n", newTokens];
    const flags = ["-t", threads, "-ngl", 0, "-r", repeats, "-o", "json"];
    const [command, ...args] = onCores(threads, [program, "-m", model, ...sizes, ...flags].map(String));
    const lines = await results(command, args, (line) => line, {
      env: referenceEnvironment(program),
      what: "llama-bench",
    });
    const [row] = JSON.parse(lines.join("\n"));
    if (row.n_prompt + row.n_gen !== (isPrompt(workload) ? promptTokens : newTokens)) {
      throw new BenchFailure(`llama-bench did other work: ${JSON.stringify(row)}`);
    }
    return row.samples_ns.map((nanoseconds) => ({
      wallMs: nanoseconds / 1e6,
      promptTokens: [promptTokens],
      generatedTokens: [newTokens],
    }));
  },
);
