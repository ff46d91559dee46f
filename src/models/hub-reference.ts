// References to repositories of the hub: hf:owner/name[:file-or-quantization][@revision],
// and the addresses of its web pages. Names become folders of a cache, so that nothing is
// accepted here which the hub itself would not accept as a name.
import { show } from "../engine/shown.js";

/** A model in a repository of the hub, or in a cache of it. */
export interface HubReference {
  readonly type: "hub";
  /** owner/name */
  readonly repository: string;
  /** A .gguf file's path in the repository, with / between its parts. */
  readonly file: string | undefined;
  /** A type such as Q4_K_M, to be found in files' names; undefined: the best there is. */
  readonly quantization: string | undefined;
  /** A branch, a tag or a commit; undefined: main. */
  readonly revision: string | undefined;
}

type Refuse = (problem: string) => Error;

const maximumName = 96;
const maximumText = 512;
const namePart = /^\w(?:[\w.-]*\w)?$/;
const quantizationName = /^\w(?:[\w.-]*\w)?$/;
const form = "hf:owner/name[:file-or-quantization][@revision]";
/** A file's and a revision's characters that are ambiguous or not allowed in a reference. */
const strange = /[\p{Cc}\\]/u;

/** The hub's own types of pages of a file. */
const filePages: ReadonlySet<string> = new Set(["blob", "resolve", "raw"]);
/** Namespaces of the hub that hold no models. */
const otherKinds: ReadonlySet<string> = new Set([
  "datasets",
  "spaces",
  "collections",
  "papers",
  "docs",
  "api",
  "models",
]);

/** Whether the hub accepts it as owner/name. */
export function isRepositoryName(text: string): boolean {
  const parts = text.split("/");
  return (
    parts.length === 2 &&
    text.length <= maximumName &&
    !/--|\.\./.test(text) &&
    !text.endsWith(".git") &&
    parts.every((part) => namePart.test(part)) &&
    !otherKinds.has(parts[0] ?? "")
  );
}

/** Whether it is a branch, a tag or a commit, and safe as a path below a folder. */
export function isRevision(text: string): boolean {
  return (
    text.length <= maximumText &&
    !/\.\.|\/\/|@\{|[\s~^:?*[#]/.test(text) &&
    !strange.test(text) &&
    text.split("/").every((part) => part !== "" && !/^[.-]|\.lock$|\.$/.test(part))
  );
}

/** Whether it is the path of a .gguf file inside a repository, and stays inside. */
export function isRepositoryFile(text: string): boolean {
  return (
    /\.gguf$/i.test(text) &&
    text.length <= maximumText &&
    !strange.test(text) &&
    text.split("/").every((part) => part !== "" && part !== "." && part !== "..")
  );
}

/** owner/name[:quantization][@revision] without a scheme; undefined where it is something else. */
export function bareRepository(text: string): HubReference | undefined {
  try {
    const found = parseHubText(text, () => new Error(text));
    return found.file !== undefined && !text.includes(":") ? undefined : found;
  } catch {
    return undefined;
  }
}

/**
 * Reads what follows hf:.
 * @throws what `refuse` makes
 */
export function parseHubText(text: string, refuse: Refuse): HubReference {
  const got = `got ${show(`hf:${text}`)}`;
  const hash = text.indexOf("#");
  if (hash >= 0)
    throw refuse(`must be ${form}, ${got}; a revision is written @${text.slice(hash + 1) || "main"}`);
  const at = text.lastIndexOf("@");
  const [named, revision] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
  const { repository, selected } = splitName(named);
  if (revision !== undefined) judgeRevision(revision, repository, refuse, got);
  if (!isRepositoryName(repository)) throw refuse(`must be ${form}, ${got}${nameAdvice(repository)}`);
  return { type: "hub", repository, revision, ...judgeSelection(selected, repository, refuse, got) };
}

/** "owner/name:selected"; a file may also follow a slash. */
function splitName(named: string): { readonly repository: string; readonly selected: string | undefined } {
  const colon = named.indexOf(":");
  if (colon >= 0) return { repository: named.slice(0, colon), selected: named.slice(colon + 1) };
  const [owner = "", name = "", ...file] = named.split("/");
  if (file.length === 0 || !/\.gguf$/i.test(named)) return { repository: named, selected: undefined };
  return { repository: `${owner}/${name}`, selected: file.join("/") };
}

function judgeRevision(revision: string, repository: string, refuse: Refuse, got: string): void {
  const [, before, colon, after] = /^([^:]+?)([:/])([^:]*\.gguf|(?<=:)[^:/]+)$/i.exec(revision) ?? [];
  if (colon !== undefined) {
    throw refuse(`must be ${form}, ${got}; the revision comes last: hf:${repository}:${after}@${before}`);
  }
  if (isRevision(revision)) return;
  throw refuse(`must have a branch, a tag or a commit after @, ${got}`);
}

function judgeSelection(
  selected: string | undefined,
  repository: string,
  refuse: Refuse,
  got: string,
): Pick<HubReference, "file" | "quantization"> {
  // What Ollama and llama-server write for "no choice".
  if (selected === undefined || selected === "latest") return { file: undefined, quantization: undefined };
  if (isRepositoryFile(selected)) return { file: selected, quantization: undefined };
  if (/\.safetensors(?:\.index\.json)?$|\.bin$/.test(selected)) {
    throw refuse(`must name a repository or a GGUF file in it, ${got}; a checkpoint is hf:${repository}`);
  }
  if (quantizationName.test(selected)) return { file: undefined, quantization: selected };
  throw refuse(`must have a .gguf file or a type such as Q4_K_M after the colon, ${got}`);
}

function nameAdvice(repository: string): string {
  if (/^[\w.-]+$/.test(repository)) return "; the owner is missing";
  const kind = repository.split("/")[0] ?? "";
  if (otherKinds.has(kind)) return `; ${kind}/ is no owner of models`;
  if (/^[\w.-]+\/[\w.-]+\/./.test(repository)) return "; a file of the repository follows a colon";
  if (repository.includes("\\")) return '; the separator is "/"';
  return "";
}

const hubHosts: ReadonlySet<string> = new Set(["huggingface.co", "www.huggingface.co", "hf.co"]);

/** Whether an address is one of the hub's web site, or of the one that HF_ENDPOINT names. */
export function isHubAddress(url: URL, endpoint: string | undefined): boolean {
  if (hubHosts.has(url.hostname)) return true;
  return endpoint !== undefined && URL.canParse(endpoint) && new URL(endpoint).host === url.host;
}

/**
 * Reads the address of a repository's page or of a file in it.
 * @throws what `refuse` makes
 */
export function parseHubAddress(url: URL, refuse: Refuse): HubReference {
  const got = `got ${show(`${url.host}${url.pathname}`)}`;
  if (url.hash !== "") {
    throw refuse(
      `must be an address without #, ${got}; the hub's files are verified by its own digests, and @commit pins one: ${form}`,
    );
  }
  const [owner = "", name = "", page, ...rest] = segmentsOf(url, refuse, got);
  const repository = `${owner}/${name}`;
  if (!isRepositoryName(repository)) {
    throw refuse(`must be the address of a model's repository or of a file in it, ${got}; or write ${form}`);
  }
  const none = { type: "hub", repository, file: undefined, quantization: undefined } as const;
  if (page === undefined) return { ...none, file: shownFile(url, refuse, got), revision: undefined };
  const { revision, path } = splitRevision(rest);
  if (revision !== undefined && isRevision(revision)) {
    if (page === "tree" && path === "") return { ...none, file: shownFile(url, refuse, got), revision };
    if (page === "tree") {
      throw refuse(
        `must name a repository or a file in it, not a folder, ${got}; write hf:${repository}:TYPE`,
      );
    }
    if (filePages.has(page) && isRepositoryFile(path)) return { ...none, file: path, revision };
  }
  throw refuse(
    `must be the address of a .gguf file in the repository, ${got}; the whole is hf:${repository}`,
  );
}

function segmentsOf(url: URL, refuse: Refuse, got: string): readonly string[] {
  try {
    return url.pathname
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
  } catch {
    throw refuse(`must be an address with whole percent escapes, ${got}; a percent sign is written %25`);
  }
}

/** A revision is one segment, but refs/pr/1 is three. */
function splitRevision(rest: readonly string[]): {
  readonly revision: string | undefined;
  readonly path: string;
} {
  const length = rest[0] === "refs" ? 3 : 1;
  const revision = rest.slice(0, length).join("/");
  return { revision: revision === "" ? undefined : revision, path: rest.slice(length).join("/") };
}

/** The file that the hub's page shows in its panel. */
function shownFile(url: URL, refuse: Refuse, got: string): string | undefined {
  const file = url.searchParams.get("show_file_info");
  if (file === null || !/\.gguf$/i.test(file)) return undefined;
  if (isRepositoryFile(file)) return file;
  throw refuse(`must name a .gguf file in the repository, ${got}`);
}

/** The reference as a person writes it: hf:owner/name:Q4_K_M@main. */
export function hubReferenceText(reference: HubReference): string {
  const selected = reference.file ?? reference.quantization;
  const revision = reference.revision;
  return `hf:${reference.repository}${selected === undefined ? "" : `:${selected}`}${revision === undefined ? "" : `@${revision}`}`;
}
