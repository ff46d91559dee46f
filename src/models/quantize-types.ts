// What plain weights can be quantized to: the names that users of llama.cpp know, of all types
// that need no importance matrix.
import { z } from "zod";

/** Best first; "q4_k" means "q4_k_m", as in llama.cpp. */
export const quantizeTypes = [
  "q8_0",
  "q6_k",
  "q5_k_m",
  "q5_k_s",
  "q5_k",
  "q5_1",
  "q5_0",
  "q4_k_m",
  "q4_k_s",
  "q4_k",
  "q4_1",
  "q4_0",
  "iq4_nl",
  "iq4_xs",
  "q3_k_l",
  "q3_k_m",
  "q3_k_s",
  "q3_k",
  "iq3_m",
  "iq3_s",
  "q2_k",
  "f16",
  "bf16",
  "f32",
] as const;

/** What plain weights become. */
export type QuantizeType = (typeof quantizeTypes)[number];

/** Types that the weights are packed to as they are read; all others need a file. */
export const packedTypes = ["f32", "f16", "bf16", "q8_0"] as const satisfies readonly QuantizeType[];

/** Whether a type, which is one of quantizeTypes, is made by llama.cpp's quantizer, which writes a file. */
export function needsQuantizer(type: string): boolean {
  return !packedTypes.some((packed) => packed === type);
}

/** A type's name, in any case. */
export const quantizeTypeSchema = z
  .string()
  .toLowerCase()
  .pipe(z.enum(quantizeTypes, `one of ${quantizeTypes.join(", ")}`));
