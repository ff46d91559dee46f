// Reads and writes GGUF version 3 files, as far as the embedded model needs it:
// the header's values, the tensors' names, shapes, types and bytes. A writer
// that only changes tensors copies the values' bytes as they are, so nothing is
// lost on the way. Layout: the GGUF specification of ggml.

const MAGIC = 0x46554747;
const ALIGNMENT = 32;

/** GGML's tensor types used here: name -> number, elements and bytes of a block. */
export const tensorTypes = {
  F32: { id: 0, elements: 1, bytes: 4 },
  F16: { id: 1, elements: 1, bytes: 2 },
  Q4_0: { id: 2, elements: 32, bytes: 18 },
  Q8_0: { id: 8, elements: 32, bytes: 34 },
  Q4_K: { id: 12, elements: 256, bytes: 144 },
};

/** @typedef {keyof typeof tensorTypes} TensorType */
/** @typedef {{ name: string, shape: number[], type: TensorType, data: Uint8Array }} Tensor */
/** @typedef {{ key: string, value: unknown, bytes: Uint8Array }} Entry */
/** @typedef {{ entries: Entry[], tensors: Tensor[] }} Gguf */

class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  /** @param {number} size @returns {number} where the next `size` bytes begin */
  take(size) {
    this.at += size;
    return this.at - size;
  }

  u32() {
    return this.view.getUint32(this.take(4), true);
  }

  u64() {
    return Number(this.view.getBigUint64(this.take(8), true));
  }

  string() {
    const size = this.u64();
    const begin = this.take(size);
    return new TextDecoder().decode(this.bytes.subarray(begin, begin + size));
  }

  /** @param {number} type a GGUF value type @returns {unknown} */
  value(type) {
    const { view } = this;
    switch (type) {
      case 0:
        return view.getUint8(this.take(1));
      case 1:
        return view.getInt8(this.take(1));
      case 2:
        return view.getUint16(this.take(2), true);
      case 3:
        return view.getInt16(this.take(2), true);
      case 4:
        return this.u32();
      case 5:
        return view.getInt32(this.take(4), true);
      case 6:
        return view.getFloat32(this.take(4), true);
      case 7:
        return view.getUint8(this.take(1)) !== 0;
      case 8:
        return this.string();
      case 9:
        return this.array();
      case 10:
        return this.u64();
      case 11:
        return Number(view.getBigInt64(this.take(8), true));
      case 12:
        return view.getFloat64(this.take(8), true);
      default:
        throw new Error(`GGUF value type ${type} is not known`);
    }
  }

  /** @returns {unknown[]} */
  array() {
    const type = this.u32();
    return Array.from({ length: this.u64() }, () => this.value(type));
  }

  /** @returns {Entry} */
  entry() {
    const begin = this.at;
    const key = this.string();
    const value = this.value(this.u32());
    return { key, value, bytes: this.bytes.subarray(begin, this.at) };
  }
}

/** @param {number} id @returns {TensorType} */
function typeNamed(id) {
  const found = Object.entries(tensorTypes).find(([, type]) => type.id === id);
  if (!found) throw new Error(`tensor type ${id} is not one of ${Object.keys(tensorTypes).join(", ")}`);
  return /** @type {TensorType} */ (found[0]);
}

/** @param {readonly number[]} shape @param {TensorType} type @returns {number} bytes of such a tensor */
export function tensorBytes(shape, type) {
  const { elements, bytes } = tensorTypes[type];
  return (shape.reduce((product, size) => product * size, 1) / elements) * bytes;
}

/** @param {Uint8Array} bytes a whole file @returns {Gguf} */
export function readGguf(bytes) {
  const reader = new Reader(bytes);
  if (reader.u32() !== MAGIC || reader.u32() !== 3) throw new Error("this is not a GGUF version 3 file");
  const [tensorCount, entryCount] = [reader.u64(), reader.u64()];
  const entries = Array.from({ length: entryCount }, () => reader.entry());
  const heads = Array.from({ length: tensorCount }, () => {
    const name = reader.string();
    const shape = Array.from({ length: reader.u32() }, () => reader.u64());
    return { name, shape, type: typeNamed(reader.u32()), offset: reader.u64() };
  });
  const base = Math.ceil(reader.at / ALIGNMENT) * ALIGNMENT;
  const tensors = heads.map(({ offset, ...head }) => {
    const begin = base + offset;
    return { ...head, data: bytes.subarray(begin, begin + tensorBytes(head.shape, head.type)) };
  });
  return { entries, tensors };
}

/** @param {...number} values @returns {Buffer} each as 64 bits */
function u64s(...values) {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [place, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), 8 * place);
  return bytes;
}

/** @param {...number} values @returns {Buffer} each as 32 bits */
function u32s(...values) {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [place, value] of values.entries()) bytes.writeUInt32LE(value, 4 * place);
  return bytes;
}

/** @param {string} text @returns {Buffer} */
function sized(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([u64s(bytes.length), bytes]);
}

/** @param {string} key @param {number} value @returns {Entry} a 32-bit value of the header */
export function u32Entry(key, value) {
  return { key, value, bytes: Buffer.concat([sized(key), u32s(4, value)]) };
}

/** @param {string} key @param {number} value @returns {Entry} a 32-bit float of the header */
export function floatEntry(key, value) {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return { key, value, bytes: Buffer.concat([sized(key), u32s(6), bytes]) };
}

/** @param {string} key @param {string} value @returns {Entry} a text of the header */
export function stringEntry(key, value) {
  return { key, value, bytes: Buffer.concat([sized(key), u32s(8), sized(value)]) };
}

/** @param {string} key @param {readonly string[]} value @returns {Entry} a list of texts */
export function stringsEntry(key, value) {
  const head = Buffer.concat([sized(key), u32s(9, 8), u64s(value.length)]);
  return { key, value, bytes: Buffer.concat([head, ...value.map(sized)]) };
}

/** @param {number} size @returns {Buffer} the zeros up to the next aligned place */
const padding = (size) => Buffer.alloc((ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT);

/** @param {Gguf} gguf @returns {Buffer} the whole file */
export function writeGguf({ entries, tensors }) {
  let offset = 0;
  const heads = tensors.map(({ name, shape, type, data }) => {
    const head = Buffer.concat([
      sized(name),
      u32s(shape.length),
      u64s(...shape),
      u32s(tensorTypes[type].id),
      u64s(offset),
    ]);
    offset += data.length + padding(data.length).length;
    return head;
  });
  const front = Buffer.concat([
    u32s(MAGIC, 3),
    u64s(tensors.length, entries.length),
    ...entries.map(({ bytes }) => bytes),
    ...heads,
  ]);
  const bodies = tensors.flatMap(({ data }) => [data, padding(data.length)]);
  return Buffer.concat([front, padding(front.length), ...bodies]);
}
