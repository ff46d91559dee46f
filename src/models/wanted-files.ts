// Which files of a repository or folder make the model that a reference names: a GGUF file
// with all its parts, else a whole Hugging Face checkpoint. The choice that a pull makes of
// the hub's list, and the look-up of caches and folders of what is there. Pure.
import { InferenceError } from "../errors.js";
import { chooseFile, ggufModels, partsOf } from "./choose.js";

/** What is wanted of which repository. */
export interface Selection {
  /** owner/name, or a folder's path: what sentences call it. */
  readonly repository: string;
  /** A GGUF file's path in it. */
  readonly file: string | undefined;
  /** A type to be found in files' names. */
  readonly quantization: string | undefined;
}

/** The files of a model in its repository. */
export interface WantedFiles {
  /** All of them, paths in the repository; the one to load first. */
  readonly files: readonly string[];
  /** A GGUF file, or a checkpoint, which is loaded by its folder. */
  readonly format: "gguf" | "checkpoint";
  /** How many GGUF models there are where a preference decided: worth telling; otherwise 1. */
  readonly chosenAmong: number;
}

const shownFiles = 8;
/** Beside the weights: configuration, tokenizers, chat templates. Only of the top folder. */
const besideWeights =
  /^[^/]+\.(?:json|jinja|model)$|^(?:merges|vocab)\.txt$|^(?:additional_)?chat_templates?\/[^/]+\.jinja$/;
const weights = /^[^/]+\.safetensors$/;
/** Mistral's own copy of the same weights. */
const secondCopy = /^consolidated.*\.safetensors$/;

/**
 * @param listed paths of all files there
 * @throws InferenceError MODEL_NOT_FOUND (the file or type is not there), MODEL_FORMAT_UNSUPPORTED
 */
export function wantedFiles(listed: readonly string[], selection: Selection): WantedFiles {
  const { file, quantization } = selection;
  if (file !== undefined) return ggufFiles(file, 1, listed, selection);
  const chosen = chooseFile(listed, quantization);
  if (chosen !== undefined) {
    const among = quantization === undefined ? ggufModels(listed).length : 1;
    return ggufFiles(chosen, among, listed, selection);
  }
  if (quantization !== undefined) {
    throw notThere(selection, `has no GGUF file of type ${quantization}`, listed);
  }
  return checkpointFiles(listed, selection);
}

function ggufFiles(
  file: string,
  chosenAmong: number,
  listed: readonly string[],
  selection: Selection,
): WantedFiles {
  const files = partsOf(file);
  const missing = files.find((part) => !listed.includes(part));
  if (missing === undefined) return { files, format: "gguf", chosenAmong };
  throw notThere(selection, `has no file ${missing}`, listed);
}

function checkpointFiles(listed: readonly string[], { repository }: Selection): WantedFiles {
  const all = listed.filter((file) => weights.test(file));
  const own = all.filter((file) => !secondCopy.test(file));
  if (own.length > 0 && listed.includes("config.json")) {
    const others = listed.filter((file) => besideWeights.test(file) && file !== "config.json");
    return { files: ["config.json", ...others, ...own], format: "checkpoint", chosenAmong: 1 };
  }
  const content = otherContent(listed);
  throw new InferenceError(
    content === undefined ? "MODEL_NOT_FOUND" : "MODEL_FORMAT_UNSUPPORTED",
    `${repository} has ${content ?? "no model's files"}; a model is a GGUF file, or config.json with ` +
      ".safetensors files: take a repository or folder with one, whose name often ends in -GGUF",
  );
}

function otherContent(listed: readonly string[]): string | undefined {
  if (listed.some((file) => file.endsWith(".safetensors"))) {
    return listed.includes("config.json")
      ? ".safetensors files in subfolders only"
      : ".safetensors files without a config.json";
  }
  const others = listed.some((file) => /\.(?:bin|pth?|h5|msgpack|onnx)$/.test(file));
  return others ? "weights in a format that is not read (pickle, ONNX or another)" : undefined;
}

function notThere({ repository }: Selection, problem: string, listed: readonly string[]): InferenceError {
  const models = ggufModels(listed);
  const shown = models.slice(0, shownFiles).join(", ");
  const more = models.length > shownFiles ? ` and ${models.length - shownFiles} more` : "";
  const there = models.length === 0 ? "it has no GGUF file" : `it has ${shown}${more}`;
  return new InferenceError("MODEL_NOT_FOUND", `${repository} ${problem}; ${there}`);
}
