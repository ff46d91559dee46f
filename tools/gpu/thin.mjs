// Takes out of a CUDA library the code for every GPU but one, so that it is small enough to be
// sent to that GPU's machine. What goes becomes zeros and every address stays: the library has
// its size, and shrinks where it is compressed. See src/cuda-architectures.ts for the format.
import { readFileSync, writeFileSync } from "node:fs";
import { SetupFailure } from "../setup/failure.mjs";

const kFatBinary = 0xba55ed50;
const kPtx = 1;
const kSass = 2;
const kLetters = (1 << 20) | (1 << 21); // code for an architecture or a family alone

/**
 * Writes `source` without the code that a GPU of `architecture` (90) does not need to `target`:
 * its machine code stays where there is some, else the newest PTX that it can run.
 * @returns bytes of the code that stays
 */
export function thinLibrary(source, target, architecture) {
  const bytes = readFileSync(source);
  let kept = 0;
  for (const { offset, size } of sectionsOf(bytes)) kept += thinSection(bytes, offset, size, architecture);
  if (kept === 0) {
    throw new SetupFailure(`${source} holds no code for architecture ${architecture}; name another library.`);
  }
  writeFileSync(target, bytes, { mode: 0o755 });
  return kept;
}

// The sections of an ELF file that hold fat binaries.
function sectionsOf(bytes) {
  const [table, size, count] = [
    Number(bytes.readBigUInt64LE(40)),
    bytes.readUInt16LE(58),
    bytes.readUInt16LE(60),
  ];
  const headers = Array.from({ length: count }, (_, index) => table + index * size);
  const place = (at) => ({
    offset: Number(bytes.readBigUInt64LE(at + 24)),
    size: Number(bytes.readBigUInt64LE(at + 32)),
  });
  const names = place(headers[bytes.readUInt16LE(62)]).offset;
  const nameOf = (at) => {
    const begin = names + bytes.readUInt32LE(at);
    return bytes.toString("latin1", begin, bytes.indexOf(0, begin));
  };
  return headers.filter((at) => [".nv_fatbin", "__nv_relfatbin"].includes(nameOf(at))).map(place);
}

// Fat binaries lie one after another, with zeros between them.
function thinSection(bytes, offset, size, architecture) {
  let kept = 0;
  for (let at = offset; at + 16 <= offset + size; ) {
    const magic = bytes.readUInt32LE(at);
    if (magic !== kFatBinary && magic !== 0) throw new SetupFailure(`byte ${at} begins no fat binary.`);
    if (magic === 0) {
      at += 8;
      continue;
    }
    const first = at + bytes.readUInt16LE(at + 6);
    const end = first + Number(bytes.readBigUInt64LE(at + 8));
    const parts = chosenOf(entriesOf(bytes, first, end), architecture);
    const code = Buffer.concat(parts.map((part) => bytes.subarray(part.at, part.at + part.length)));
    bytes.fill(0, first, end);
    code.copy(bytes, first);
    bytes.writeBigUInt64LE(BigInt(code.length), at + 8);
    kept += code.length;
    at = end;
  }
  return kept;
}

function entriesOf(bytes, first, end) {
  const entries = [];
  for (let at = first; at < end; at += entries.at(-1).length) {
    if (bytes.readUInt32LE(at + 4) === 0) throw new SetupFailure(`the part at byte ${at} is damaged.`);
    entries.push({
      at,
      kind: bytes.readUInt16LE(at),
      length: bytes.readUInt32LE(at + 4) + Number(bytes.readBigUInt64LE(at + 8)),
      architecture: bytes.readUInt32LE(at + 28),
      special: (bytes.readUInt32LE(at + 40) & kLetters) !== 0,
    });
  }
  return entries;
}

function chosenOf(entries, architecture) {
  const exact = entries.filter((each) => each.kind === kSass && each.architecture === architecture);
  if (exact.length > 0) return exact;
  const able = entries.filter(
    (each) => each.kind === kPtx && !each.special && each.architecture <= architecture,
  );
  const newest = Math.max(...able.map((each) => each.architecture));
  return able.filter((each) => each.architecture === newest);
}
