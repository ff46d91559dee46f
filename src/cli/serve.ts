// `infernode serve`: a model's text generation, or a handler of one's own, over HTTP by the APIs
// of OpenAI and RunPod. Flags become the variables that `infernode worker` reads, which are read
// here too; keys may come from the command line, a file and the environment together.
import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { judgeServeOptions, type ServeOptions } from "../endpoint/options.js";
import { ownHandlerServed } from "../endpoint/own-handler.js";
import type { Served } from "../endpoint/served.js";
import { Server } from "../endpoint/server.js";
import { textGenerationServed } from "../endpoint/text-generation.js";
import { isKey, keysOf } from "../http/keys.js";
import { processHost } from "../serverless/host.js";
import type { Environment } from "../text-generation/environment.js";
import { messageOfThrown } from "../thrown.js";
import { modelForms } from "./flags.js";
import { isProgram, optionsOfProgram } from "./handler-file.js";
import { refusal } from "./terminal.js";
import { exitCodeOf } from "./worker.js";

interface Flags {
  readonly host?: string;
  readonly port?: number;
  readonly apiKey?: readonly string[];
  readonly apiKeyFile?: string;
  readonly behindGateway?: true;
  readonly cors?: readonly string[];
  readonly playground: boolean;
  readonly endpointId?: string;
  readonly allowPrivateWebhooks?: true;
  readonly data?: string;
  readonly maxJobStarts?: number;
  readonly maxQueue: number;
  readonly maxQueueTokens?: number;
  readonly maxBody: number;
  readonly drainTimeout: number;
  readonly contextLength?: number;
  readonly slots?: number;
  readonly device?: string;
  readonly gpuLayers?: string;
  readonly chatTemplate?: string;
  readonly servedModelName?: readonly string[];
  readonly minWorkers?: number;
  readonly idleTimeout?: number;
}

const defaultPort = 8000;

/** The command; it ends the process. */
export function serveCommand(): Command {
  const command = new Command("serve")
    .description("serve a model over HTTP by the APIs of OpenAI and RunPod, or a handler by RunPod's")
    .argument(
      "[model]",
      `${modelForms} (default: MODEL_NAME, else the small story model); or a program with a handler: FILE.js, .mjs, .cjs`,
    );
  for (const flag of [...addressFlags(), ...jobFlags(), ...limitFlags(), ...modelFlags()])
    command.addOption(flag);
  return command
    .addHelpText(
      "after",
      `
Keys: every request but /health, /ping and the page itself must carry one of those that --api-key, --api-key-file and
INFERNODE_API_KEY give, as "Authorization: Bearer KEY" or "x-api-key: KEY".
The model is configured by the variables of infernode worker, too: docs/options.md in the package.

Exit codes: 0 after SIGTERM or Ctrl-C, 1 failure or a broken engine, 2 wrong usage, 3 the device failed,
4 the device had no memory for a pass, 130 Ctrl-C twice.`,
    )
    .action(async (model: string | undefined, flags: Flags) => {
      const options = judgeServeOptions(
        serveOptions(flags, {
          port: process.env.PORT,
          healthPort: process.env.PORT_HEALTH,
          keys: process.env.INFERNODE_API_KEY,
        }),
      );
      const host = processHost();
      const served =
        model !== undefined && isProgram(model)
          ? await servedProgram(model, flags)
          : servedModel({ ...host.environment, ...variables(model, flags) });
      host.end(await new Server(served, options, host).run(host));
    });
}

function servedModel(environment: Environment): Served {
  // What is under way is failed before the process ends.
  return textGenerationServed(environment, (code) => process.exit(exitCodeOf(code)));
}

async function servedProgram(file: string, flags: Flags): Promise<Served> {
  const given = modelFlags().find((flag) => flags[flag.attributeName() as keyof Flags] !== undefined);
  if (given !== undefined) {
    throw refusal(
      `${given.long} is a model's, and ${file} is a program; leave it out and say so in the program`,
    );
  }
  return ownHandlerServed(await optionsOfProgram(file));
}

function addressFlags(): Option[] {
  return [
    new Option("--host <address>", "address to bind (default: 127.0.0.1; with --behind-gateway 0.0.0.0)"),
    integer("--port <number>", "port, 0 for a free one (default: PORT, else 8000)", 0, 65_535),
    new Option("--api-key <key>", "a key; can be repeated; other users of this machine may see it").argParser(
      collect,
    ),
    new Option("--api-key-file <file>", "a file of keys, one in a line; # begins a comment"),
    new Option("--behind-gateway", "something in front decides who may call: a key is not demanded"),
    new Option(
      "--cors <origin>",
      "web pages of this origin may call, such as https://app.example; can be repeated; * for all",
    ).argParser(collect),
    new Option("--no-playground", "no page to try the model at /"),
  ];
}

function jobFlags(): Option[] {
  return [
    new Option("--endpoint-id <id>", "the one endpoint below /v2 (default: every id is this server)"),
    new Option("--allow-private-webhooks", "jobs' webhooks may be on this machine and in its network"),
    new Option(
      "--data <folder>",
      "keep accepted jobs and their results here: another start goes on with them; needs the package libsql",
    ),
    integer(
      "--max-job-starts <count>",
      "with --data: how often a job is begun whose process dies each time, then it is FAILED (default: 3)",
      1,
      1_000_000,
    ),
  ];
}

function limitFlags(): Option[] {
  return [
    integer("--max-queue <requests>", "requests that may wait beside those that run", 0, 65_536).default(256),
    integer(
      "--max-queue-tokens <tokens>",
      "of the prompts that run and wait, together, one for 4 bytes of a body (default: any number)",
      1,
      2 ** 31 - 1,
    ),
    integer("--max-body <bytes>", "of a request's body", 1, 1_000_000_000).default(20_000_000),
    integer(
      "--drain-timeout <seconds>",
      "that what is under way gets to end after SIGTERM or Ctrl-C",
      0,
      86_400,
    ).default(25),
  ];
}

function modelFlags(): Option[] {
  return [
    integer("-c, --context-length <tokens>", "tokens of prompt and answer together", 1, 2 ** 31 - 1),
    integer("--slots <count>", "requests computed at once (default: 8)", 1, 256),
    new Option("--device <names>", '"auto" (default), "gpu", "cpu", or names of `infernode doctor`'),
    new Option("--gpu-layers <count>", 'layers to place on the GPU, "all" (default) or "auto"'),
    new Option("--chat-template <name>", "in place of the model's own: a format's name or a Jinja text"),
    new Option("--served-model-name <name>", "what requests call the model; can be repeated").argParser(
      collect,
    ),
    integer(
      "--min-workers <count>",
      "0: the model is unloaded when nobody uses it, and loaded again for the next request (default: 1)",
      0,
      1,
    ),
    integer(
      "--idle-timeout <seconds>",
      "without a request until it is unloaded, with --min-workers 0 (default: 60)",
      1,
      604_800,
    ),
  ];
}

/** The worker's variables that the flags stand for. */
function variables(model: string | undefined, flags: Flags): Record<string, string> {
  const given: Readonly<Record<string, string | number | undefined>> = {
    MODEL_NAME: model,
    MAX_MODEL_LEN: flags.contextLength,
    MAX_NUM_SEQS: flags.slots,
    DEVICE: flags.device,
    N_GPU_LAYERS: flags.gpuLayers,
    CHAT_TEMPLATE: flags.chatTemplate,
    OPENAI_SERVED_MODEL_NAME_OVERRIDE: flags.servedModelName?.join(" "),
  };
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set.map(([name, value]) => [name, String(value)]));
}

/** What the environment says where flags do not. */
interface Variables {
  readonly port: string | undefined;
  readonly healthPort: string | undefined;
  readonly keys: string | undefined;
}

function serveOptions(flags: Flags, { port, healthPort, keys }: Variables): ServeOptions {
  const behindGateway = flags.behindGateway === true;
  return {
    host: flags.host ?? (behindGateway ? "0.0.0.0" : "127.0.0.1"),
    port: flags.port ?? portOf("PORT", port) ?? defaultPort,
    healthPort: portOf("PORT_HEALTH", healthPort),
    keys: [
      ...judgedKeys("--api-key", flags.apiKey ?? []),
      ...fileKeys(flags.apiKeyFile),
      ...judgedKeys("INFERNODE_API_KEY", environmentKeys(keys)),
    ],
    behindGateway,
    origins: flags.cors ?? [],
    maxQueue: flags.maxQueue,
    maxQueueTokens: flags.maxQueueTokens,
    maxBodyBytes: flags.maxBody,
    playground: flags.playground,
    endpointId: flags.endpointId,
    allowsPrivateWebhooks: flags.allowPrivateWebhooks === true,
    dataFolder: flags.data,
    maxJobStarts: jobStarts(flags),
    idleMs: idleMs(flags),
    drainMs: flags.drainTimeout * 1000,
  };
}

function jobStarts({ data, maxJobStarts }: Flags): number | undefined {
  if (maxJobStarts === undefined || data !== undefined) return maxJobStarts;
  throw refusal("--max-job-starts counts over starts of the server, which needs --data");
}

const defaultIdleSeconds = 60;

/** Milliseconds; undefined: the model stays. */
function idleMs({ minWorkers = 1, idleTimeout }: Flags): number | undefined {
  if (minWorkers === 0) return (idleTimeout ?? defaultIdleSeconds) * 1000;
  if (idleTimeout === undefined) return undefined;
  throw refusal("--idle-timeout says when the model is unloaded, which needs --min-workers 0");
}

function portOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  if (/^\d+$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw refusal(`${name} must be an integer from 0 to 65535, got ${JSON.stringify(text)}`);
}

/** Several are separated by commas. */
function environmentKeys(text: string | undefined): readonly string[] {
  if (text === undefined || text.trim() === "") return [];
  return text.split(",").map((key) => key.trim());
}

/** A file without keys is refused: it would open the server to everybody. */
function fileKeys(file: string | undefined): readonly string[] {
  if (file === undefined) return [];
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (thrown) {
    throw refusal(`--api-key-file cannot be read: ${messageOfThrown(thrown)}`);
  }
  const keys = keysOf(text);
  if (keys.length > 0) return judgedKeys(`--api-key-file ${file}`, keys);
  throw refusal(`--api-key-file ${file} holds no key; write one in a line`);
}

/** The keys, which are told to nobody. @param source what gave them */
function judgedKeys(source: string, keys: readonly string[]): readonly string[] {
  const index = keys.findIndex((key) => !isKey(key));
  if (index < 0) return keys;
  const which = keys.length === 1 ? "a key" : `as number ${index + 1} a key`;
  throw refusal(
    `${source} has ${which} that no header can carry; a key is 1 to 512 visible ASCII characters without spaces`,
  );
}

function integer(flags: string, description: string, least: number, most: number): Option {
  return new Option(flags, description).argParser((text: string) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected an integer from ${least} to ${most}.`);
  });
}

/** Collects a flag that may be given several times. */
function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}
