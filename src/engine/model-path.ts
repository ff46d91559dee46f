// What callers name models and other files by, judged, and what to do where a name could
// not be one. Where a model lies is src/models' matter.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceError, invalidOption, toInferenceError } from "../errors.js";
import { hubSettings } from "../models/hub-environment.js";
import { bareRepository, hubReferenceText } from "../models/hub-reference.js";
import { type ModelReference, parseReference } from "../models/reference.js";
import { show } from "./shown.js";

/**
 * What names a model, parsed.
 * @param call the public function's name, opens the sentence: "loadModel()"
 * @throws InferenceError INVALID_OPTION
 */
export function judgeReference(call: string, given: unknown): ModelReference {
  const isAddress = given instanceof URL || (typeof given === "string" && /^https?:/i.test(given));
  // The settings are read for addresses only: a wrong HF_ENDPOINT is no matter of a file.
  return parseReference(call, given, isAddress ? { endpoint: hubSettings().endpoint } : {});
}

/**
 * What the addon threw of a model's file, with what to do where the path could not be one.
 * @param path as it was given
 */
export function modelFailure(thrown: unknown, path: unknown): InferenceError {
  const failure = toInferenceError(thrown);
  if (failure.code !== "MODEL_NOT_FOUND" || typeof path !== "string") return failure;
  const sentence = failure.message.replace(/\.$/, "");
  const told = (advice: string) => new InferenceError(failure.code, `${sentence}; ${advice}`);
  if (path.startsWith("~")) return told('"~" is not expanded here, write the whole path');
  const repository = bareRepository(path);
  if (repository === undefined || /\.gguf$/i.test(path)) return failure;
  return told(`a repository of the hub is written ${hubReferenceText(repository)}`);
}

/**
 * A file's absolute path, from a path or a file: URL.
 * @param kind what kind of file is expected
 * @throws InferenceError INVALID_OPTION
 */
export function judgePath(call: string, path: unknown, kind = "a GGUF file"): string {
  if (path instanceof URL && path.protocol === "file:") return fileURLToPath(path);
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return resolve(path);
  throw invalidOption(call, ["path"], `must be the path of ${kind} or a file: URL, got ${show(path)}`);
}
