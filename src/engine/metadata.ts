// The metadata of a GGUF file as results tell it: what JSON can hold.
import type { NativeMetadataValue } from "../native.js";

/**
 * A value of a GGUF file's metadata. Numbers that JSON cannot hold, beyond 2^53 or infinite,
 * come as text; arrays of more than 64 items as their length.
 */
export type MetadataValue =
  | string
  | number
  | boolean
  | readonly (string | number | boolean)[]
  | {
      /** Items of an array that is not told. */
      readonly arrayLength: number;
    };

/** The metadata by key. */
export type Metadata = Readonly<Record<string, MetadataValue>>;

/** The addon's metadata, frozen. */
export function jsonMetadata(metadata: Readonly<Record<string, NativeMetadataValue>>): Metadata {
  const entries = Object.entries(metadata).map(([key, value]) => [
    key,
    Array.isArray(value) ? value.map(jsonValue) : jsonValue(value),
  ]);
  return Object.freeze(Object.fromEntries(entries)) as Metadata;
}

function jsonValue<Value>(value: Value): Exclude<Value, bigint> | string {
  const isLost = typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value));
  return isLost ? String(value) : (value as Exclude<Value, bigint>);
}
