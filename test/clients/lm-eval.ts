// EleutherAI's lm-eval: its accuracy of a served GGUF must be that of transformers on the same weights, within
// its standard error. Needs a model that knows something, and minutes.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { python, pythonVersion } from "../helpers/python.js";
import { realModelPath } from "../helpers/real-models.js";
import { serveInProcess } from "../helpers/serve-process.js";
import type { ProgramClient } from "./programs.js";

const tool = join(import.meta.dirname, "../../tools/lm-eval/compare.mjs");
const model = realModelPath("smollm2");
const { program, reason } = python("lm_eval", "torch", "transformers", "gguf");

interface Accuracy {
  readonly acc: number;
  readonly stderr: number;
}

const rounded = (value: number) => value.toFixed(3);

export const lmEval: ProgramClient = {
  name: "Python: lm-eval",
  reason: reason ?? (existsSync(model) ? undefined : "`npm run models:real` fetches its model"),
  ran: program === undefined ? "" : `Python: lm-eval ${pythonVersion(program, "lm_eval")}, local-completions`,
  patience: 30 * 60_000, // transformers computes in F32 on the CPU
  checks: {
    more: {
      calls: "loglikelihood of 200 items",
      async run() {
        const server = await serveInProcess([model]);
        try {
          const args = [tool, server.url, model, program ?? ""];
          const { stdout } = await promisify(execFile)(process.execPath, args);
          const { served, hf } = JSON.parse(stdout) as Record<"served" | "hf", Accuracy>;
          const told = `accuracy ${rounded(served.acc)}, transformers' ${rounded(hf.acc)} ± ${rounded(hf.stderr)}`;
          if (hf.acc < 0.5) throw new Error(`the model should know most of it: ${told}`);
          if (Math.abs(served.acc - hf.acc) > hf.stderr) throw new Error(told);
          return told;
        } finally {
          await server.stop();
        }
      },
    },
  },
};
