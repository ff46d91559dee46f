// The gate against a faster engine that computes something else: the answers at temperature 0 of this
// run beside those of an earlier result.
import { InferenceError } from "../errors.js";
import type { GreedyDigest } from "./digest.js";
import { readResult } from "./result-reader.js";

/** The earlier result's digest, and whether this run has the same; null until it is known. */
export interface ReferenceVerdict {
  readonly path: string;
  readonly sha256: string;
  readonly isSame: boolean | null;
}

/** The digest of a result, read before anything is measured. */
export type Reference = Omit<ReferenceVerdict, "isSame">;

/** @throws InferenceError INVALID_OPTION where it is no result, or one without a digest */
export function readReference(path: string | undefined): Reference | null {
  if (path === undefined) return null;
  const { greedyDigest } = readResult(path);
  if (greedyDigest !== null) return { path, sha256: greedyDigest.sha256 };
  throw new InferenceError(
    "INVALID_OPTION",
    `--reference: ${path} has no digest of answers at temperature 0 to compare with; measure it again to its end`,
  );
}

/** Null without a reference. */
export function judgeDigest(
  reference: Reference | null,
  digest: GreedyDigest | null,
): ReferenceVerdict | null {
  return reference && { ...reference, isSame: digest === null ? null : digest.sha256 === reference.sha256 };
}
