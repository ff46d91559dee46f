// How a Hugging Face directory of safetensors becomes a model: the options, judged, and the
// form the addon takes. Whether a path is such a directory is model-location's matter.
import { z } from "zod";
import { quantizeTypes } from "../models/quantize-types.js";
import type { NativeCheckpointOptions } from "../native-checkpoint.js";
import type { NativeOutlineOptions } from "../native-plan.js";

/** What quantized weights become. */
export type CheckpointProfile = "auto" | "lossless" | "q4_1" | "q4_k" | "q5_0" | "q8_0" | "f32";

/** What plain weights become; "q4_k" means "q4_k_m", and so on, as in llama.cpp. */
export type CheckpointQuantization =
  | "q8_0"
  | "q6_k"
  | "q5_k_m"
  | "q5_k_s"
  | "q5_k"
  | "q5_1"
  | "q5_0"
  | "q4_k_m"
  | "q4_k_s"
  | "q4_k"
  | "q4_1"
  | "q4_0"
  | "iq4_nl"
  | "iq4_xs"
  | "q3_k_l"
  | "q3_k_m"
  | "q3_k_s"
  | "q3_k"
  | "iq3_m"
  | "iq3_s"
  | "q2_k"
  | "f16"
  | "bf16"
  | "f32";

/** How a Hugging Face directory is loaded. */
export interface CheckpointOptions {
  /**
   * What quantized weights (AWQ, GPTQ, compressed-tensors) become. "auto": q4_0 where that is
   * exact, else a type of 4 or 5 bits that is nearly so; "lossless": q4_0 where that is
   * exact, else q5_0; or one type for all. "f32" is for comparing: plain weights become f32
   * too. Default "auto".
   */
  readonly profile?: CheckpointProfile | undefined;
  /**
   * What plain weights become, embeddings and output included: "f32", "f16", "bf16" and "q8_0"
   * as they are read; "q4_k_m" and llama.cpp's other types that need no importance matrix by its
   * quantizer, which writes a file to the cache and needs room there for the plain weights
   * besides, until it is done. Default: as stored; bf16 becomes f16 where no GPU computes.
   */
  readonly quantize?: CheckpointQuantization | undefined;
  /**
   * llama.cpp's name of the pre-tokenizer, such as "llama-bpe", in place of what tokenizer.json
   * tells: for one that is not recognized.
   */
  readonly preTokenizer?: string | undefined;
  /**
   * Where the checkpoint is kept once it is packed, as a GGUF file that later loads map: true:
   * .infernode/converted in the hub's cache; or a folder, made where it is missing. Where
   * nothing can be written, or false: it is packed anew at each load, which types of llama.cpp's
   * quantizer do not allow. Default true.
   */
  readonly cache?: boolean | string | undefined;
}

// Public types are written out; this line fails to compile where the list has another name.
const quantizations: readonly CheckpointQuantization[] = quantizeTypes;
const profiles = ["auto", "lossless", "q4_1", "q4_k", "q5_0", "q8_0", "f32"] as const;

function oneOf(names: readonly string[]): string {
  return `one of ${names.map((name) => `"${name}"`).join(", ")}`;
}

export const checkpointSchema = z.strictObject(
  {
    profile: z.enum(profiles, oneOf(profiles)).default("auto"),
    quantize: z.enum(quantizeTypes, oneOf(quantizations)).optional(),
    preTokenizer: z
      .string("a pre-tokenizer's name")
      .regex(/^[\w.-]{1,64}$/, "a pre-tokenizer's name")
      .optional(),
    cache: z
      .union(
        [
          z.boolean(),
          z
            .string()
            .min(1)
            .regex(/^[^\0]*$/),
        ],
        "true, false or a folder",
      )
      .default(true),
  },
  "{ profile, quantize, preTokenizer, cache }",
);

/** The addon's form. */
export function nativeCheckpoint(judged: z.output<typeof checkpointSchema>): NativeCheckpointOptions {
  return {
    profile: judged.profile,
    plainType: judged.quantize ?? null,
    preTokenizer: judged.preTokenizer ?? null,
    threads: 0,
  };
}

/**
 * For reading what a checkpoint's header would be without examining its scales: the types that
 * scales decide are those that its config makes likely.
 */
export const outlinedCheckpoint: NativeOutlineOptions = {
  ...nativeCheckpoint(checkpointSchema.parse({})),
  headersOnly: true,
};
