// Which GPUs a CUDA library is for, read from the fat binaries in it: machine code (SASS) for
// one architecture each, and PTX, which a driver compiles for the GPU that it finds. Runs no
// program of the CUDA toolkit, so that a machine that only runs the library can ask, too.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** What a file holds, each oldest first and once: "80", "90a", "120f". */
export interface CudaArchitectures {
  /** Machine code. Runs on this architecture, and without a letter on later ones of its generation. */
  readonly sass: readonly string[];
  /** PTX. Without a letter, every later GPU runs it, after the driver has compiled it once. */
  readonly ptx: readonly string[];
}

interface Section {
  readonly offset: number;
  readonly size: number;
}

type Reader = (offset: number, size: number) => Buffer;

const magicOfElf = 0x464c457f;
const magicOfFatBinary = 0xba55ed50;
const sectionNames: ReadonlySet<string> = new Set([".nv_fatbin", "__nv_relfatbin"]);

/** Of a fat binary's own header, and the least of an entry's. */
const headerSize = 16;
const entryHeaderSize = 48;

/** Bytes that are looked through for the next fat binary; a multiple of 8. */
const zerosAtOnce = 1 << 18;
const zeros = Buffer.alloc(zerosAtOnce);

const kindOfPtx = 1;
const kindOfSass = 2;

/** Bits of an entry's flags: code for this architecture alone, and for its family. */
const flagOfArchitecture = 1 << 20;
const flagOfFamily = 1 << 21;

/**
 * The architectures that a CUDA library has code for. Reads headers only: milliseconds for
 * hundreds of megabytes.
 * @param file a 64-bit ELF file (a shared library, an object file), or a fat binary on its own,
 *   as `nvcc --fatbin` writes it
 * @returns two empty lists for a library without code for GPUs
 * @throws Error where the file cannot be read, is of another kind, or is damaged; the sentence
 *   names it
 */
export function readCudaArchitectures(file: string): CudaArchitectures {
  const descriptor = openSync(file, "r");
  try {
    const { size } = fstatSync(descriptor);
    const read: Reader = (offset, length) => {
      const bytes = Buffer.alloc(length);
      const whole = offset + length <= size && readSync(descriptor, bytes, 0, length, offset) === length;
      if (!whole) throw damaged(file, `it has ${size} bytes, and its tables name byte ${offset + length}`);
      return bytes;
    };
    const entries = sectionsOf(file, size, read).flatMap((section) => entriesOf(file, section, read));
    const of = (kind: number) => entries.filter((each) => each.kind === kind).map((each) => each.name);
    return { sass: sorted(of(kindOfSass)), ptx: sorted(of(kindOfPtx)) };
  } finally {
    closeSync(descriptor);
  }
}

/**
 * How a library can run on a GPU: its machine code as it is; its PTX, which the driver compiles
 * at the first use, for seconds to minutes; or not at all.
 * @param capability the GPU's compute capability, e.g. "8.6"
 */
export function cudaCodeFor(
  { sass, ptx }: CudaArchitectures,
  capability: string,
): "sass" | "ptx" | undefined {
  const [major = 0, minor = 0] = capability.split(".").map(Number);
  const gpu = 10 * major + minor;
  const ofGeneration = (number: number) => Math.floor(number / 10) === major && number <= gpu;
  const runs = (name: string, laterToo: (number: number) => boolean) => {
    const number = Number.parseInt(name, 10);
    if (name.endsWith("a")) return number === gpu;
    return name.endsWith("f") ? ofGeneration(number) : laterToo(number);
  };
  if (sass.some((name) => runs(name, ofGeneration))) return "sass";
  return ptx.some((name) => runs(name, (number) => number <= gpu)) ? "ptx" : undefined;
}

/** Where the file keeps fat binaries, one after the other. */
function sectionsOf(file: string, size: number, read: Reader): readonly Section[] {
  const magic = size < 64 ? 0 : read(0, 4).readUInt32LE(0);
  if (magic === magicOfFatBinary) return [{ offset: 0, size }];
  const is64Bit = magic === magicOfElf && read(4, 2).equals(Buffer.from([2, 1]));
  if (!is64Bit) {
    throw new Error(
      `${file} is no CUDA library: expected a 64-bit little-endian ELF file or a fat binary of nvcc.`,
    );
  }
  const header = read(0, 64);
  const table = Number(header.readBigUInt64LE(40));
  const entrySize = header.readUInt16LE(58);
  const count = header.readUInt16LE(60);
  if (count === 0) return [];
  if (entrySize < 64) throw damaged(file, `a section header has ${entrySize} bytes instead of 64`);
  const headers = Array.from({ length: count }, (_, index) => read(table + index * entrySize, 64));
  const names = sectionOf(headers[header.readUInt16LE(62)]);
  if (names === undefined) throw damaged(file, "its section of names is none of its sections");
  const text = read(names.offset, names.size).toString("latin1");
  return headers
    .filter((each) => sectionNames.has(nameAt(text, each.readUInt32LE(0))))
    .map((each) => sectionOf(each) as Section);
}

function sectionOf(header: Buffer | undefined): Section | undefined {
  if (header === undefined) return undefined;
  return { offset: Number(header.readBigUInt64LE(24)), size: Number(header.readBigUInt64LE(32)) };
}

function nameAt(text: string, start: number): string {
  return text.slice(start, text.indexOf("\0", start));
}

interface Entry {
  readonly kind: number;
  readonly name: string;
}

/** The entries of all fat binaries in a section. Between two of them lie zeros. */
function entriesOf(file: string, section: Section, read: Reader): readonly Entry[] {
  const end = section.offset + section.size;
  const entries: Entry[] = [];
  let at = section.offset;
  while (at + headerSize <= end) {
    const header = read(at, headerSize);
    if (header.readUInt32LE(0) === 0) {
      at = nextOf(at, end, read);
      continue;
    }
    if (header.readUInt32LE(0) !== magicOfFatBinary) {
      throw damaged(file, `expected a fat binary at byte ${at}, got ${header.toString("hex", 0, 4)}`);
    }
    const first = at + header.readUInt16LE(6);
    at = first + Number(header.readBigUInt64LE(8));
    if (at > end) throw damaged(file, `a fat binary ends at byte ${at}, and its section at byte ${end}`);
    entries.push(...entriesBetween(file, first, at, read));
  }
  return entries;
}

/** The place behind the zeros at `at`: where a library was thinned, there are megabytes of them. */
function nextOf(at: number, end: number, read: Reader): number {
  for (let begin = at; begin < end; begin += zerosAtOnce) {
    const block = read(begin, Math.min(zerosAtOnce, end - begin));
    if (block.equals(zeros.subarray(0, block.length))) continue;
    const found = block.findIndex((byte) => byte !== 0);
    // Fat binaries begin at multiples of 8 from here.
    if (found >= 0) return begin + found - (found % 8);
  }
  return end;
}

/** The entries of one fat binary. */
function entriesBetween(file: string, start: number, end: number, read: Reader): readonly Entry[] {
  const entries: Entry[] = [];
  let at = start;
  while (at < end) {
    const header = read(at, entryHeaderSize);
    const length = header.readUInt32LE(4) + Number(header.readBigUInt64LE(8));
    if (header.readUInt32LE(4) < entryHeaderSize || at + length > end) {
      throw damaged(file, `the part at byte ${at} of a fat binary is said to have ${length} bytes`);
    }
    entries.push({ kind: header.readUInt16LE(0), name: nameOf(header) });
    at += length;
  }
  return entries;
}

function nameOf(header: Buffer): string {
  const flags = header.readUInt32LE(40);
  const letter = flags & flagOfArchitecture ? "a" : flags & flagOfFamily ? "f" : "";
  return `${header.readUInt32LE(28)}${letter}`;
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort((left, right) => left.localeCompare(right, "en", { numeric: true }));
}

function damaged(file: string, what: string): Error {
  return new Error(`${file} is damaged: ${what}.`);
}
