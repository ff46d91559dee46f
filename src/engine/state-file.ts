// A saved state as a file: a line that says what it is, a line of facts in
// JSON, the tokens and the state. Checked whole before any of it is used; written
// beside its place and renamed, so that a file is whole or not there.
import { createHash, randomBytes } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { InferenceError } from "../errors.js";
import type { NativeState } from "../native-events.js";
import { messageOfThrown } from "../thrown.js";

/** What a state is good for: it must be the same where it is loaded. */
export interface StateOrigin {
  /** Of the model's file. */
  readonly fingerprint: string;
  /** Tree hash of llama.cpp, whose format the state has. */
  readonly llamaCpp: string;
  readonly kvLayout: string;
  readonly kvType: string;
  readonly flashAttention: boolean;
  /** Adapters and their scales, as text. */
  readonly loras: string;
}

/** A state, and what a refusal tells of where it comes from. */
export interface StateInFile extends NativeState {
  /** Of the engine that saved it; undefined where the file does not say. */
  readonly slots: number | undefined;
}

const magic = "infernode state 1\n";
const maximumFacts = 4096;
const tokenBytes = 4;
/** It holds what somebody said. */
const ownerOnly = 0o600;

const factsSchema = z.object({
  fingerprint: z.string(),
  llamaCpp: z.string(),
  kvLayout: z.string(),
  kvType: z.string(),
  flashAttention: z.boolean(),
  loras: z.string(),
  tokens: z
    .int()
    .min(1)
    .max(2 ** 31 - 1),
  stateBytes: z.int().min(1),
  /** Of the engine that saved it; older files do not say. */
  slots: z.int().optional(),
  sha256: z.string(),
});

/**
 * Writes the file, replacing one that is there.
 * @throws InferenceError (rejects) STATE_UNREADABLE
 * @returns its size in bytes
 */
export async function writeStateFile(
  path: string,
  origin: StateOrigin,
  { tokens, state, slots }: StateInFile,
): Promise<number> {
  const tokenPart = bytesOf(tokens);
  const facts = {
    ...origin,
    tokens: tokens.length,
    stateBytes: state.length,
    slots,
    sha256: hashOf(tokenPart, state),
  };
  const parts = [Buffer.from(`${magic}${JSON.stringify(facts)}\n`), tokenPart, state];
  const beside = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const file = await open(beside, "wx", ownerOnly);
    try {
      await file.writev(parts);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    throw unreadable(path, "written", cause);
  }
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/**
 * Reads a file and proves that it is whole and of this origin.
 * @throws InferenceError (rejects) STATE_UNREADABLE, STATE_INVALID
 */
export async function readStateFile(path: string, origin: StateOrigin): Promise<StateInFile> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw unreadable(path, "read", cause);
  }
  const refuse = (what: string) => new InferenceError("STATE_INVALID", `the state file ${path} ${what}`);
  if (!bytes.subarray(0, magic.length).equals(Buffer.from(magic))) {
    throw refuse("does not begin as one that saveState() of this version wrote");
  }
  const end = bytes.subarray(0, magic.length + maximumFacts).indexOf(10, magic.length);
  const facts = factsSchema.safeParse(json(bytes.subarray(magic.length, Math.max(end, 0)).toString()));
  if (end < 0 || !facts.success) throw refuse("is damaged: its facts cannot be read");
  for (const [name, expected] of Object.entries(origin)) {
    const found = facts.data[name as keyof StateOrigin];
    if (found !== expected) {
      throw refuse(
        `was saved with another ${originNames[name as keyof StateOrigin]} (${found}, here ${expected})`,
      );
    }
  }
  const { tokens, stateBytes, sha256 } = facts.data;
  const tokenPart = bytes.subarray(end + 1, end + 1 + tokens * tokenBytes);
  const state = bytes.subarray(end + 1 + tokens * tokenBytes);
  if (tokenPart.length !== tokens * tokenBytes || state.length !== stateBytes) {
    throw refuse(`is ${state.length < stateBytes ? "cut short" : "too long"}`);
  }
  if (hashOf(tokenPart, state) !== sha256) throw refuse("is damaged: its checksum does not fit");
  return { tokens: new Int32Array(Uint8Array.from(tokenPart).buffer), state, slots: facts.data.slots };
}

const originNames: Readonly<Record<keyof StateOrigin, string>> = {
  fingerprint: "model file",
  llamaCpp: "llama.cpp",
  kvLayout: "kvLayout",
  kvType: "kvType",
  flashAttention: "flashAttention",
  loras: "choice of loras",
};

function bytesOf(tokens: Int32Array): Uint8Array {
  return new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
}

function hashOf(tokens: Uint8Array, state: Uint8Array): string {
  return createHash("sha256").update(tokens).update(state).digest("hex");
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreadable(path: string, done: "read" | "written", cause: unknown): InferenceError {
  const isMissing = (cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
  const why = done === "read" ? "it does not exist" : `the folder ${dirname(path)} does not exist`;
  const sentence = `the state file ${path} cannot be ${done}: ${isMissing ? why : messageOfThrown(cause)}`;
  return new InferenceError("STATE_UNREADABLE", sentence, { cause });
}
