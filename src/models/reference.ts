// What names a model, parsed: a path, a file: URL, a repository of the hub, an https address
// or a synthetic shape. One grammar for loadModel(), every command and the worker's
// MODEL_NAME. Pure: nothing is looked up here, neither on the disk nor on the network.
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { show } from "../engine/shown.js";
import { invalidOption } from "../errors.js";
import {
  bareRepository,
  type HubReference,
  isHubAddress,
  parseHubAddress,
  parseHubText,
} from "./hub-reference.js";

/** A file or a folder of this machine. */
export interface PathReference {
  readonly type: "path";
  /** Absolute. */
  readonly path: string;
  /** As it was given; of a file: URL the path. */
  readonly text: string;
  /** The repository that the text names, too, where it has the form owner/name[:quantization][@revision]. */
  readonly repository: HubReference | undefined;
}

/** A GGUF file at an address that is not the hub's. */
export interface AddressReference {
  readonly type: "address";
  /** Without its fragment. */
  readonly url: string;
  /** 64 hexadecimal digits in lower case, as #sha256= gives them. */
  readonly sha256: string | undefined;
}

/** A model of random weights; judgeSynthetic() reads it. */
export interface SyntheticReference {
  readonly type: "synthetic";
  readonly text: string;
}

/** What names a model. */
export type ModelReference = PathReference | HubReference | AddressReference | SyntheticReference;

/** How a reference is read. */
export interface ReferenceOptions {
  /** The hub's address where it is not the usual one, as HF_ENDPOINT gives it: its web pages name repositories. */
  readonly endpoint?: string | undefined;
}

const expected = "the path of a model, a file: URL, hf:owner/name or the https:// address of a GGUF file";

/** Schemes of other programs and stores, and what to write instead. */
const otherSchemes: Readonly<Partial<Record<string, string>>> = {
  __proto__: null as never,
  huggingface: "write hf:owner/name",
  ollama: "Ollama's models are not read; take the model's GGUF repository, as hf:owner/name",
  docker: "Docker's models are not read; take the model's GGUF repository, as hf:owner/name",
  modelscope: "download the GGUF file and give its path, or give its https:// address",
  ms: "download the GGUF file and give its path, or give its https:// address",
};

/** A letter and a colon is a drive of Windows. */
const scheme = /^([a-z][a-z\d+.-]+):/i;

/**
 * Reads what names a model.
 * @param call opens the sentence of a refusal: "loadModel()"
 * @throws InferenceError INVALID_OPTION, with the spelling to use
 */
export function parseReference(call: string, given: unknown, options: ReferenceOptions = {}): ModelReference {
  const refuse = (problem: string) => invalidOption(call, ["path"], problem);
  if (given instanceof URL) return parseSchemed(given.protocol.slice(0, -1), given.href, refuse, options);
  if (typeof given !== "string" || given.trim() === "" || given.includes("\0")) {
    throw refuse(`must be ${expected}, got ${show(given)}`);
  }
  // A path that exists may contain a colon; an absolute one is never anything else.
  const [, kind] = isAbsolute(given) ? [] : (scheme.exec(given) ?? []);
  if (kind !== undefined && !isRepositoryWithColon(given)) {
    return parseSchemed(kind.toLowerCase(), given, refuse, options);
  }
  const pasted = /^(?:www\.)?(?:hf\.co|huggingface\.co)\/(?!\.)/i.exec(given);
  if (pasted !== null) return parsePasted(given, pasted[0].length, refuse, options);
  return { type: "path", path: resolve(given), text: given, repository: bareRepository(given) };
}

type Refuse = (problem: string) => Error;

/** "owner:…" is a scheme, "own.er/name:Q4_K_M" is none: a scheme's colon comes before any slash. */
function isRepositoryWithColon(text: string): boolean {
  return text.slice(0, text.indexOf(":")).includes("/");
}

function parseSchemed(kind: string, text: string, refuse: Refuse, options: ReferenceOptions): ModelReference {
  switch (kind) {
    case "file":
      return atFileUrl(text, refuse);
    case "synthetic":
      return { type: "synthetic", text };
    case "hf":
      return parseHubText(text.slice("hf:".length).replace(/^\/\//, ""), refuse);
    case "http":
    case "https":
      return parseAddress(text, refuse, options);
    default:
      throw refuse(unknownScheme(kind, text));
  }
}

/** "model.gguf:Q4" has no scheme that anybody meant, "llama3:8b" is Ollama's, s3: is a store's. */
function unknownScheme(kind: string, text: string): string {
  const advice =
    otherSchemes[kind] ??
    (text.slice(kind.length).startsWith("://")
      ? "download the GGUF file and give its path, or give its https:// address"
      : `a file of that name is written ./${text.length <= 60 ? text : "…"}, a model of the hub hf:owner/name`);
  return `must be ${expected}, got ${show(text)}; ${advice}`;
}

/** Text that was copied out of a browser or from Ollama, without https://. */
function parsePasted(text: string, host: number, refuse: Refuse, options: ReferenceOptions): ModelReference {
  const rest = text.slice(host);
  const isPage = /^[^/]+\/[^/]+\/(?:blob|resolve|raw|tree)\//.test(rest);
  return isPage ? parseAddress(`https://${text}`, refuse, options) : parseHubText(rest, refuse);
}

function atFileUrl(text: string, refuse: Refuse): PathReference {
  try {
    const path = fileURLToPath(text);
    return { type: "path", path, text: path, repository: undefined };
  } catch (thrown) {
    const problem =
      thrown instanceof URIError ? "a percent sign is written %25" : "such as file:///models/m.gguf";
    throw refuse(`must be a file: URL of this machine, got ${show(text)}; ${problem}`);
  }
}

const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;
const digest = /^#sha256=([\da-f]{64})$/i;

function parseAddress(text: string, refuse: Refuse, { endpoint }: ReferenceOptions): ModelReference {
  if (!URL.canParse(text)) throw refuse(`must be an address, got ${show(text)}`);
  const url = new URL(text);
  // Nothing below shows the address's query or credentials: both may be secrets.
  const shown = `${url.protocol}//${url.host}${url.pathname}`;
  if (url.username !== "" || url.password !== "") {
    throw refuse(`must be an address without a user name and a password, got one of ${url.host}`);
  }
  if (isHubAddress(url, endpoint)) return parseHubAddress(url, refuse);
  if (url.protocol === "http:" && !loopback.test(url.hostname)) {
    throw refuse(
      `must be an https:// address (http:// only of localhost), got ${show(shown)}; write https://`,
    );
  }
  if (!/\.gguf$/i.test(url.pathname)) {
    throw refuse(`must be the address of a .gguf file, got ${show(shown)}; a repository is hf:owner/name`);
  }
  const [, sha256] = digest.exec(url.hash) ?? [];
  if (url.hash !== "" && sha256 === undefined) {
    throw refuse(`must end with #sha256= and 64 hexadecimal digits, or without #, got ${show(url.hash)}`);
  }
  url.hash = "";
  return { type: "address", url: url.href, sha256: sha256?.toLowerCase() };
}
