// The types of index.mjs, for the tests that are written in TypeScript.

export type Turn = {
  readonly role: "system" | "user" | "assistant";
  readonly text: string;
  /** A user's own words, which the grammar does not judge. */
  readonly free?: true;
};
export type Document = { readonly story: string } | { readonly turns: readonly Turn[] };

export const CORPUS_SHA256: string;
export const CORPUS_START: { readonly documents: number; readonly sha256: string };
/** The corpus from its beginning; the same seed gives the same documents. */
export function corpus(documents?: number, seed?: number): Generator<Document>;
/** The SHA-256 of the first documents as corpus.mjs writes them. */
export function corpusHash(documents: number): string;

export type Acceptance = {
  readonly sentences: number;
  readonly accepted: number;
  readonly rejected: readonly string[];
};
/** Counts the finished sentences of a text and those the grammar derives. */
export function acceptance(text: string): Acceptance;
export function parseSentence(text: string): boolean;
/** Finished sentences as a reader counts them; an unfinished tail is left out. */
export function splitSentences(text: string): string[];

export class Random {
  constructor(seed: number);
  below(limit: number): number;
  sample<T>(items: readonly T[], count: number): T[];
}

export type TensorType = "F32" | "F16" | "Q4_0" | "Q8_0" | "Q4_K";
/** A value of the header with its bytes, its key's included. */
export type Entry = { readonly key: string; readonly value: unknown; readonly bytes: Uint8Array };
export type Tensor = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: TensorType;
  readonly data: Uint8Array;
};
export type Gguf = { readonly entries: readonly Entry[]; readonly tensors: readonly Tensor[] };
export function readGguf(bytes: Uint8Array): Gguf;
/** The whole file. */
export function writeGguf(gguf: Gguf): Buffer;

export type Variant = "f32" | "f16" | "q4_0" | "q4_k";
export const variants: Readonly<Record<Variant, { readonly type: TensorType; readonly fileType: number }>>;
/** The committed Q8_0 file's path. */
export const embeddedModel: string;
/** The bytes of a variant, made from the Q8_0 file's bytes. */
export function makeVariant(source: Uint8Array, variant: Variant): Uint8Array;
/** The same file with another context length. */
export function withContext(source: Uint8Array, tokens: number): Uint8Array;
