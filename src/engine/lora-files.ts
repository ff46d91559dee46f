// LoRA adapters that are named by a reference, such as hf:owner/name, replaced by their files
// before the options are judged. Paths stay as they are; the judge has the sentences for them.

import type { HubReference } from "../models/hub-reference.js";
import type { AddressReference } from "../models/reference.js";
import { asRefusal } from "./judge.js";
import { nameOfFile } from "./loras.js";
import { locateHere, locateModel, type ModelLocation } from "./model-location.js";
import { judgeReference } from "./model-path.js";
import type { EngineOptions, LoraAdapter } from "./options.js";

type Remote = HubReference | AddressReference;

/**
 * Downloads adapters that are not here. A promise only where there are some to look for: an
 * engine of files is created without a pause in which its model could close.
 * @throws InferenceError INVALID_OPTION; rejects as loadModel()'s download does
 */
export function fetchLoras(call: string, options: EngineOptions): EngineOptions | Promise<EngineOptions> {
  const remotes = remoteLoras(call, options);
  return remotes.size === 0 ? options : fetchAll(call, options, remotes);
}

async function fetchAll(
  call: string,
  options: EngineOptions,
  remotes: ReadonlyMap<LoraAdapter, Remote>,
): Promise<EngineOptions> {
  const located = new Map<LoraAdapter, ModelLocation>();
  for (const [lora, reference] of remotes) {
    located.set(lora, await locateModel(call, reference, { download: true }));
  }
  return withPaths(options, located);
}

/**
 * Finds adapters that are here.
 * @throws InferenceError INVALID_OPTION, MODEL_NOT_FOUND
 */
export function findLoras(call: string, options: EngineOptions): EngineOptions {
  const remotes = remoteLoras(call, options);
  if (remotes.size === 0) return options;
  const located = [...remotes].map(([lora, reference]) => [lora, locateHere(call, reference)] as const);
  return withPaths(options, new Map(located));
}

/** The adapters that are no paths; of options that are wrong, none. */
function remoteLoras(call: string, options: unknown): ReadonlyMap<LoraAdapter, Remote> {
  const found = new Map<LoraAdapter, Remote>();
  try {
    const { loras } = (options ?? {}) as { readonly loras?: unknown };
    for (const lora of Array.isArray(loras) ? loras : []) {
      const path = (lora as LoraAdapter | null)?.path;
      if (!isRemote(path)) continue;
      const reference = judgeReference(call, path);
      if (reference.type === "hub" || reference.type === "address") found.set(lora, reference);
    }
  } catch (thrown) {
    throw asRefusal(call, thrown);
  }
  return found;
}

/** Whether it is an address or a repository of the hub. */
function isRemote(path: unknown): path is string | URL {
  if (path instanceof URL) return /^(?:hf|https?):$/.test(path.protocol);
  return typeof path === "string" && /^(?:hf:|https?:|hf\.co\/|huggingface\.co\/)/i.test(path);
}

function withPaths(options: EngineOptions, located: ReadonlyMap<LoraAdapter, ModelLocation>): EngineOptions {
  const loras = options.loras?.map((lora) => {
    const path = located.get(lora)?.path;
    return path === undefined ? lora : { ...lora, path, name: lora.name ?? nameOfFile(path) };
  });
  return { ...options, loras };
}
