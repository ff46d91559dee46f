// Where the headers of model files end, found in their first bytes: how much of a file on the
// network must be read to plan a load. Judges nothing else: the addon reads what comes of it.

/** Bytes of GGUF's scalar types, by number; strings (8) and arrays (9) have lengths of their own. */
const scalarBytes: Readonly<Partial<Record<number, number>>> = {
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
const arrayType = 9;
const deepestArrays = 4;

/** The bytes end inside of the header. */
class Incomplete extends Error {}

/** Walks over a GGUF header without keeping anything of it. */
class GgufWalk {
  readonly #bytes: Buffer;
  #at = 4;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  end(): number {
    this.#skip(4); // version
    const tensors = this.#count();
    const values = this.#count();
    for (let i = 0; i < values; i += 1) {
      this.#string();
      this.#value(this.#number(), deepestArrays);
    }
    for (let i = 0; i < tensors; i += 1) {
      this.#string();
      this.#skip(8 * this.#number()); // lengths
      this.#skip(12); // type and offset
    }
    return this.#at;
  }

  #value(type: number, depth: number): void {
    const size = scalarBytes[type];
    if (size !== undefined) this.#skip(size);
    else if (type === stringType) this.#string();
    else if (type === arrayType && depth > 0) this.#array(depth);
    else throw new RangeError("no GGUF type");
  }

  #array(depth: number): void {
    const items = this.#number();
    const length = this.#count();
    const itemSize = scalarBytes[items];
    if (itemSize !== undefined) this.#skip(itemSize * length);
    else for (let i = 0; i < length; i += 1) this.#value(items, depth - 1);
  }

  #string(): void {
    this.#skip(this.#count());
  }

  #number(): number {
    this.#skip(4);
    return this.#bytes.readUInt32LE(this.#at - 4);
  }

  #count(): number {
    this.#skip(8);
    const count = Number(this.#bytes.readBigUInt64LE(this.#at - 8));
    if (count > 2 ** 40) throw new RangeError("no count of a GGUF file");
    return count;
  }

  #skip(bytes: number): void {
    this.#at += bytes;
    if (this.#at > this.#bytes.length) throw new Incomplete();
  }
}

/**
 * @param bytes the beginning of a GGUF file
 * @returns the header's length without its padding; undefined: more bytes are needed. All of the
 *   bytes where they are no GGUF header: whoever reads them says what is wrong.
 */
export function ggufHeaderLength(bytes: Buffer): number | undefined {
  if (bytes.length < 4) return undefined;
  if (bytes.toString("latin1", 0, 4) !== "GGUF") return bytes.length;
  try {
    return new GgufWalk(bytes).end();
  } catch (thrown) {
    if (thrown instanceof Incomplete) return undefined;
    return bytes.length;
  }
}

/**
 * @param bytes the beginning of a safetensors file
 * @returns as ggufHeaderLength()
 */
export function safetensorsHeaderLength(bytes: Buffer): number | undefined {
  if (bytes.length < 8) return undefined;
  const length = 8 + Number(bytes.readBigUInt64LE(0));
  if (length > longestSafetensorsHeader) return bytes.length;
  return length <= bytes.length ? length : undefined;
}

/** As the reader of checkpoints allows. */
const longestSafetensorsHeader = 100 * 1024 * 1024;
