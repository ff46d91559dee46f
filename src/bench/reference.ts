// The gate against a faster engine that computes something else: the answers at temperature 0 of this
// run, and its losses, beside those of an earlier result.
import { InferenceError } from "../errors.js";
import type { GreedyDigest } from "./digest.js";
import { type Nll, nllDifference } from "./nll.js";
import { readResult } from "./result-reader.js";

/** The earlier result's digest, and whether this run has the same; null until it is known. */
export interface ReferenceVerdict {
  readonly path: string;
  readonly sha256: string;
  readonly isSame: boolean | null;
  /** Whether losses are within the band; null where one of the two results has none. */
  readonly isSameNll: boolean | null;
  /** What differs between the losses; null: nothing, or nothing known. */
  readonly nllDifference: string | null;
}

/** What of a result is compared, read before anything is measured. */
export interface Reference {
  readonly path: string;
  readonly sha256: string;
  /** Null in results of earlier builds, and of endpoints that do not tell it. */
  readonly nll: Nll | null;
}

/** @throws InferenceError INVALID_OPTION where it is no result, or one without a digest */
export function readReference(path: string | undefined): Reference | null {
  if (path === undefined) return null;
  const { greedyDigest, nll } = readResult(path);
  if (greedyDigest !== null) return { path, sha256: greedyDigest.sha256, nll };
  throw new InferenceError(
    "INVALID_OPTION",
    `--reference: ${path} has no digest of answers at temperature 0 to compare with; measure it again to its end`,
  );
}

/** What this run has to be compared. */
export interface Judged {
  readonly digest: GreedyDigest | null;
  readonly nll: Nll | null;
}

/** Null without a reference. */
export function judge(reference: Reference | null, { digest, nll }: Judged): ReferenceVerdict | null {
  if (reference === null) return null;
  const { path, sha256, nll: other } = reference;
  const difference = other === null || nll === null ? null : nllDifference(other, nll);
  return {
    ...{ path, sha256, isSame: digest === null ? null : digest.sha256 === sha256 },
    isSameNll: other === null || nll === null ? null : difference === null,
    nllDifference: difference,
  };
}
