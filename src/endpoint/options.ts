// What `infernode serve` is told beside what it serves, and what may not be: an address that
// others reach, with nobody at the door.
import { InferenceError } from "../errors.js";
import { KeyRing } from "../http/keys.js";

export interface ServeOptions {
  /** Address to bind. */
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Another port of the same address, which answers /ping and /health alone. */
  readonly healthPort?: number | undefined;
  /** Keys of which each request must carry one. */
  readonly keys: readonly string[];
  /** Whether something in front of this server decides who may call. */
  readonly behindGateway: boolean;
  /** Origins of web pages that may call. */
  readonly origins: readonly string[];
  /** Requests that may wait beside those that run. */
  readonly maxQueue: number;
  /** Tokens of the prompts of requests that run and wait, together; undefined: any number. */
  readonly maxQueueTokens?: number | undefined;
  /** Bytes of a request's body. */
  readonly maxBodyBytes: number;
  /** The endpoint's id in /v2/ID/…; undefined: any. */
  readonly endpointId: string | undefined;
  /** Whether webhooks of jobs may be on this machine or in its network. */
  readonly allowsPrivateWebhooks: boolean;
  /** A folder that keeps jobs; undefined: they end with the process. */
  readonly dataFolder?: string | undefined;
  /** With a folder: how many starts of the server one job may end before it is FAILED. Default 3. */
  readonly maxJobStarts?: number | undefined;
  /** Whether / is a page to try the model. */
  readonly playground: boolean;
  /** Milliseconds without a request until the model is unloaded; undefined: it stays. */
  readonly idleMs?: number | undefined;
  /** Milliseconds that what is under way gets to end after SIGTERM. */
  readonly drainMs: number;
}

/** Options that were judged. */
export interface JudgedServeOptions extends ServeOptions {
  readonly ring: KeyRing;
  /** Whether only this machine reaches the address. */
  readonly isLocal: boolean;
}

/** @throws InferenceError INVALID_OPTION */
export function judgeServeOptions(options: ServeOptions): JudgedServeOptions {
  const ring = new KeyRing(options.keys);
  const isLocal = isLoopback(options.host);
  for (const origin of options.origins) judgeOrigin(origin);
  judgeEndpointId(options.endpointId);
  if (!isLocal && ring.isEmpty && !options.behindGateway) {
    throw new InferenceError(
      "INVALID_OPTION",
      `--host ${options.host} is reached by other machines, so requests must carry a key: give --api-key-file, ` +
        "INFERNODE_API_KEY or --api-key; or --behind-gateway where something in front decides who may call",
    );
  }
  const host = options.host.replace(/^\[(.*)\]$/, "$1"); // an address of IPv6 as URLs spell it
  return { ...options, host, ring, isLocal: isLocal && !options.behindGateway };
}

function isLoopback(host: string): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/i.test(host);
}

function judgeOrigin(origin: string): void {
  if (origin === "*" || (URL.canParse(origin) && new URL(origin).origin === origin)) return;
  throw new InferenceError(
    "INVALID_OPTION",
    `--cors must be an origin such as https://app.example (scheme, host and port, no path) or *, got ${JSON.stringify(origin)}`,
  );
}

function judgeEndpointId(id: string | undefined): void {
  if (id === undefined || /^[\w-]{1,100}$/.test(id)) return;
  throw new InferenceError(
    "INVALID_OPTION",
    `--endpoint-id must be 1 to 100 letters, digits, - or _, got ${JSON.stringify(id)}`,
  );
}
