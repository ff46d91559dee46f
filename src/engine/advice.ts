// What to write instead of an option or a value that people know from other interfaces
// and that is not here under any name.
import type { OptionPath } from "../errors.js";
import { isAbortSignal } from "./abort-signal.js";
import { plainName } from "./other-names.js";

const streams = "generate() always streams; read its textStream, or await it for the whole answer";
const system = 'put it first in messages: { role: "system", content }';
const images = "images are not supported";

/** Of options of generate(), by their plain names. */
const otherWays: ReadonlyMap<string, string> = new Map(
  Object.entries({
    [streams]: "stream stream_options on_token on_text_chunk on_chunk on_text callback",
    "an engine has one model, that of loadModel()": "model model_name model_id",
    [system]: "system system_prompt system_message system_instruction instructions",
    [images]: "images image image_data",
    "give a signal, such as AbortSignal.timeout(milliseconds)": "timeout timeout_ms",
  }).flatMap(([way, names]) => names.split(" ").map((name) => [plainName(name), way] as const)),
);

/** "; …" for an unknown option or field, "" where nothing is known of it. */
export function adviceOnUnknown(path: OptionPath, key: string, known: readonly string[]): string {
  const isOfFunction = key === "type" || key === "function";
  if (path[0] === "tools" && isOfFunction) {
    return "; tools are { name, description, parameters }, without { type, function } around them";
  }
  if (path[0] === "toolChoice" && isOfFunction) return "; a tool is chosen by { name }";
  const isRequest = path.length === 0 && known.includes("messages") && known.includes("prompt");
  const way = isRequest ? otherWays.get(plainName(key)) : undefined;
  return way === undefined ? "" : `: ${way}`;
}

type Advice = (value: unknown, given: unknown) => string;

const onValues: Readonly<Record<string, Advice>> = {
  messages: (value) => (typeof value === "string" ? "; give a text as prompt" : ""),
  signal: (value) => {
    const isController = typeof value === "object" && value !== null && "signal" in value;
    return isController && isAbortSignal(value.signal) ? "; pass its .signal" : "";
  },
  toolChoice: (value, given) => {
    const { tools } = given as { readonly tools?: unknown };
    const isTool =
      Array.isArray(tools) && tools.some((tool: { readonly name?: unknown }) => tool?.name === value);
    return typeof value === "string" && isTool ? `; did you mean { name: ${JSON.stringify(value)} }?` : "";
  },
  jsonSchema: (value) => {
    if (typeof value === "string") return "; JSON.parse() it where it is JSON";
    return typeof value === "function" ? "; call it where it makes a schema, such as z.string()" : "";
  },
};

/** "; …" for an option's value, "" where nothing is known of it. */
export function adviceOnValue(path: OptionPath, value: unknown, given: unknown): string {
  const [option = ""] = path;
  if (path.length !== 1 || !Object.hasOwn(onValues, option)) return "";
  return onValues[option]?.(value, given) ?? "";
}
