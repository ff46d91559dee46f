// The settings of everything that talks to a model hub, read from the environment and from
// Hugging Face's token file: the only file below src/cli that reads these variables. Names,
// precedence and defaults are those of the Python package huggingface_hub, with which the
// cache is shared. It contacts nobody and writes nothing.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { InferenceError } from "../errors.js";

/** How requests leave the machine. */
export interface ProxySettings {
  /** URL of the proxy for `https:` targets; undefined: none. */
  readonly https: string | undefined;
  /** URL of the proxy for `http:` targets; undefined: none. */
  readonly http: string | undefined;
  /** Hosts reached without a proxy, separated by commas, as NO_PROXY spells them; "" is none. */
  readonly except: string;
}

/** Where models come from and where they are kept. */
export interface HubSettings {
  /** The hub's URL without a slash at its end. */
  readonly endpoint: string;
  /** The access token, sent to the endpoint's origin only; undefined: none. */
  readonly token: string | undefined;
  /** The folder of models--owner--name folders. */
  readonly cacheFolder: string;
  /** Nothing is requested over the network. */
  readonly offline: boolean;
  /** How requests leave the machine. */
  readonly proxy: ProxySettings;
}

/** The environment's variables by name. */
export type Variables = Readonly<Record<string, string | undefined>>;

const defaultEndpoint = "https://huggingface.co";

/**
 * The settings that the environment names.
 * @param variables default: those of this process
 * @throws InferenceError INVALID_OPTION: HF_ENDPOINT or a proxy variable is no URL that can be used
 */
export function hubSettings(variables: Variables = process.env): HubSettings {
  const home = hubHome(variables);
  return Object.freeze({
    endpoint: endpointOf(variables),
    token: tokenOf(variables, home),
    cacheFolder: hubCacheFolder(variables),
    offline: isTrue(variables.HF_HUB_OFFLINE) || isTrue(variables.TRANSFORMERS_OFFLINE),
    proxy: proxyOf(variables),
  });
}

/** The hub's cache alone, which no other variable can make an error. */
export function hubCacheFolder(variables: Variables = process.env): string {
  const named = expanded(set(variables, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"), variables);
  return named ?? join(hubHome(variables), "hub");
}

/** The folder of Hugging Face's token and caches. */
function hubHome(variables: Variables): string {
  const named = expanded(set(variables, "HF_HOME"), variables);
  if (named !== undefined) return named;
  const caches = expanded(set(variables, "XDG_CACHE_HOME"), variables);
  return join(caches ?? join(homedir(), ".cache"), "huggingface");
}

function endpointOf(variables: Variables): string {
  const text = set(variables, "HF_ENDPOINT") ?? defaultEndpoint;
  const url = parsed(text);
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new InferenceError(
      "INVALID_OPTION",
      `HF_ENDPOINT must be the URL of a hub such as ${defaultEndpoint}, got "${text}"`,
    );
  }
  return url.href.replace(/\/+$/, "");
}

/** The token of the environment, else of the token file; line breaks in it would end a header. */
function tokenOf(variables: Variables, home: string): string | undefined {
  const file = expanded(set(variables, "HF_TOKEN_PATH"), variables) ?? join(home, "token");
  const text = set(variables, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") ?? readOrUndefined(file);
  const token = text?.replace(/[\r\n]/g, "").trim();
  return token === "" ? undefined : token;
}

function readOrUndefined(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function proxyOf(variables: Variables): ProxySettings {
  const either = (name: string) => set(variables, name.toLowerCase(), name);
  const all = either("ALL_PROXY");
  return Object.freeze({
    https: proxyUrl("HTTPS_PROXY", either("HTTPS_PROXY") ?? all),
    http: proxyUrl("HTTP_PROXY", either("HTTP_PROXY") ?? all),
    except: either("NO_PROXY") ?? "",
  });
}

/** A proxy's URL; one without a scheme is of HTTP, as curl reads it. */
function proxyUrl(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = parsed(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url.href;
  throw new InferenceError(
    "INVALID_OPTION",
    `${name} (or ALL_PROXY) must be the URL of an HTTP proxy, such as http://proxy.example:3128; ` +
      "other kinds of proxies are not supported",
  );
}

function parsed(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** The first of these variables that is set and not empty. */
function set(variables: Variables, ...names: readonly string[]): string | undefined {
  return names.map((name) => variables[name]?.trim()).find((value) => value !== undefined && value !== "");
}

/** A path with its leading ~ and its $VARIABLES replaced. */
function expanded(path: string | undefined, variables: Variables): string | undefined {
  return path
    ?.replace(/^~(?=$|[\\/])/, homedir())
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, bare) => variables[braced ?? bare] ?? whole);
}

function isTrue(value: string | undefined): boolean {
  return /^(?:1|on|yes|true)$/i.test(value?.trim() ?? "");
}
