// Clients that run in programs of their own, of other languages and versions: each prints the name of each use
// that works, and leaves one generation midway.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { clientsFolder } from "../../tools/clients/fetch.mjs";
import { toolPlace } from "../../tools/package/tools.mjs";
import { python, pythonVersion } from "../helpers/python.js";
import { lmEval } from "./lm-eval.js";
import type { Check, Client, Place, Use } from "./matrix.js";
import { untilCancelled } from "./openai.js";

export interface ProgramClient extends Client {
  /** Why it is not run: what it needs is not there. */
  readonly reason: string | undefined;
  /** Name and version of what is run. */
  readonly ran: string;
  /** Milliseconds of a check; a minute or two where it is left out. */
  readonly patience?: number;
}

interface Program {
  /** What runs the file. */
  readonly program: string | undefined;
  readonly reason: string | undefined;
  readonly ran: string;
  readonly file: string;
  /** Before the server's address. */
  readonly args?: readonly string[];
}

function programClient(
  name: string,
  { program, reason, ran, file, args = [] }: Program,
  calls: Partial<Record<Use, string>>,
): ProgramClient {
  const said = new Map<string, Promise<readonly string[]>>();
  const usesAt = async (place: Place) => {
    const { url } = place;
    const env = { ...process.env, RUNPOD_ENDPOINT_BASE_URL: `${url}/v2` };
    const given = [join(import.meta.dirname, file), ...args, url];
    let lines: readonly string[] = [];
    await untilCancelled(place, async () => {
      const { stdout } = await promisify(execFile)(program ?? "", given, { env });
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
  return { name, checks, reason, ran };
}

function ofPython(module: string, file: string, calls: Partial<Record<Use, string>>) {
  const { program, reason } = python(module);
  const name = `Python: ${module}`;
  const ran = program === undefined ? name : `${name} ${pythonVersion(program, module)}`;
  return programClient(name, { program, reason, ran, file }, calls);
}

const node22 = toolPlace("node22");
const isFetched = existsSync(node22) && existsSync(join(clientsFolder, "node_modules/openai"));

export const programClients: readonly ProgramClient[] = [
  programClient(
    "openai 7, on Node 22",
    {
      program: node22,
      ran: "openai 7.59, on Node 22",
      reason: isFetched ? undefined : "`npm run clients:node22` fetches it",
      file: "openai_7.mjs",
      args: [clientsFolder],
    },
    {
      whole: "chat.completions.create, responses.create",
      stream: "stream: true, chat.completions.stream, responses.stream",
      "left midway": "signal",
      tools: "zodFunction",
      "JSON by a schema": "chat.completions.parse, responses.parse",
      embeddings: "embeddings.create",
      more: "models.list, NotFoundError",
    },
  ),
  ofPython("openai", "openai_client.py", {
    whole: "chat.completions.create",
    stream: "stream=True",
    "left midway": "close",
    tools: "tools",
    "JSON by a schema": "response_format",
    embeddings: "embeddings.create",
    more: "responses.create",
  }),
  ofPython("runpod", "runpod_client.py", {
    whole: "run_sync",
    stream: "stream",
    "left midway": "cancel",
    more: "run, output, status, health",
  }),
  lmEval,
];
