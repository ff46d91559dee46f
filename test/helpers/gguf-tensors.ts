// Reads the tensors of a GGUF file, by an implementation that shares nothing with the
// loader's: only what tests of converted checkpoints need. Trusts the file.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

// Number of the type in the file: name, numbers a block, bytes a block.
const types = new Map<number, readonly [name: string, numbers: number, bytes: number]>([
  [0, ["f32", 1, 4]],
  [1, ["f16", 1, 2]],
  [2, ["q4_0", 32, 18]],
  [3, ["q4_1", 32, 20]],
  [6, ["q5_0", 32, 22]],
  [8, ["q8_0", 32, 34]],
  [12, ["q4_k", 256, 144]],
  [30, ["bf16", 1, 2]],
]);

// Bytes of a value by the number of its type; 8 is a string, 9 a list.
const valueBytes: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};
const stringType = 8;
const listType = 9;
const alignment = 32;
const digestLength = 12;

/** A tensor as the file stores it. */
export interface FileTensor {
  readonly type: string;
  /** Columns first, as the file has them. */
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

class Cursor {
  position = 0;
  constructor(readonly bytes: Buffer) {}

  u32(): number {
    this.position += 4;
    return this.bytes.readUInt32LE(this.position - 4);
  }

  u64(): number {
    this.position += 8;
    return Number(this.bytes.readBigUInt64LE(this.position - 8));
  }

  text(): string {
    const length = this.u64();
    this.position += length;
    return this.bytes.toString("utf8", this.position - length, this.position);
  }

  skip(type: number): void {
    if (type === stringType) this.text();
    else if (type === listType) this.skipList();
    else this.position += valueBytes[type] ?? Number.NaN;
  }

  private skipList(): void {
    const type = this.u32();
    for (let left = this.u64(); left > 0; left--) this.skip(type);
  }
}

/** All tensors of a file by their names. */
export function tensorsOf(path: string): ReadonlyMap<string, FileTensor> {
  const cursor = new Cursor(readFileSync(path));
  cursor.position = 8; // magic and version
  const count = cursor.u64();
  for (let left = cursor.u64(); left > 0; left--) {
    cursor.text();
    cursor.skip(cursor.u32());
  }
  const headers = Array.from({ length: count }, () => headerOf(cursor));
  const data = Math.ceil(cursor.position / alignment) * alignment;
  return new Map(
    headers.map(({ name, type, shape, offset }) => {
      const [typeName, numbers, bytes] = types.get(type) ?? [`type ${type}`, 1, 0];
      const size = (shape.reduce((product, extent) => product * extent, 1) / numbers) * bytes;
      const from = data + offset;
      return [name, { type: typeName, shape, bytes: cursor.bytes.subarray(from, from + size) }];
    }),
  );
}

function headerOf(cursor: Cursor) {
  const name = cursor.text();
  const shape = Array.from({ length: cursor.u32() }, () => cursor.u64());
  return { name, shape, type: cursor.u32(), offset: cursor.u64() };
}

/** As tools/checkpoints/repack.py abbreviates them. */
export function digestOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, digestLength);
}
