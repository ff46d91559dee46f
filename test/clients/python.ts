// Python's packages, each by a program that prints the name of each use that works, and leaves one
// generation midway.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { python } from "../helpers/python.js";
import type { Check, Client, Place, Use } from "./matrix.js";
import { untilCancelled } from "./openai.js";

/** A client of Python; `reason`: there is no interpreter that has it. */
export interface PythonClient extends Client {
  readonly reason: string | undefined;
}

function pythonClient(
  name: string,
  module: string,
  file: string,
  calls: Partial<Record<Use, string>>,
): PythonClient {
  const { program, reason } = python(module);
  const said = new Map<string, Promise<readonly string[]>>();
  const usesAt = async (place: Place) => {
    const { url } = place;
    const env = { ...process.env, RUNPOD_ENDPOINT_BASE_URL: `${url}/v2` };
    const args = [join(import.meta.dirname, file), url];
    let lines: readonly string[] = [];
    await untilCancelled(place, async () => {
      const { stdout } = await promisify(execFile)(program ?? "", args, { env });
      lines = stdout.trim().split("\n");
    });
    return lines;
  };
  const check = (use: string, call: string): Check => ({
    calls: call,
    async run(place) {
      const lines = said.get(place.url) ?? usesAt(place);
      said.set(place.url, lines);
      if (!(await lines).includes(use)) throw new Error(`${file} does not say "${use}"`);
    },
  });
  const checks = Object.fromEntries(Object.entries(calls).map(([use, call]) => [use, check(use, call)]));
  return { name, checks, reason };
}

export const pythonClients: readonly PythonClient[] = [
  pythonClient("Python: openai 2", "openai", "openai_client.py", {
    whole: "chat.completions.create",
    stream: "stream=True",
    "left midway": "close",
    tools: "tools",
    "JSON by a schema": "response_format",
    embeddings: "embeddings.create",
    more: "responses.create",
  }),
  pythonClient("Python: runpod 1", "runpod", "runpod_client.py", {
    whole: "run_sync",
    stream: "stream",
    "left midway": "cancel",
    more: "run, output, status, health",
  }),
];
