// Which bytes of a file are there: ranges [start, end), sorted, never touching. Pure.

/** The bytes from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A set of bytes. */
export class ByteRanges {
  #ranges: ByteRange[] = [];

  /** How many bytes are in the set. */
  get total(): number {
    return this.#ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** How many bytes from the file's beginning are there without a gap. */
  get frontier(): number {
    const first = this.#ranges[0];
    return first?.start === 0 ? first.end : 0;
  }

  add(added: ByteRange): void {
    if (added.end <= added.start) return;
    const touches = ({ start, end }: ByteRange) => start <= added.end && end >= added.start;
    const touched = this.#ranges.filter(touches);
    const start = Math.min(added.start, ...touched.map((range) => range.start));
    const end = Math.max(added.end, ...touched.map((range) => range.end));
    this.#ranges = [...this.#ranges.filter((range) => !touches(range)), { start, end }];
    this.#ranges.sort((one, other) => one.start - other.start);
  }

  clear(): void {
    this.#ranges = [];
  }

  /** What is missing of the first `bytes` bytes, in pieces of at most `longest`. */
  missing(bytes: number, longest: number): readonly ByteRange[] {
    const found: ByteRange[] = [];
    let at = 0;
    for (const { start, end } of [...this.#ranges, { start: bytes, end: bytes }]) {
      for (; at < Math.min(start, bytes); at = found.at(-1)?.end ?? bytes) {
        found.push({ start: at, end: Math.min(at + longest, start, bytes) });
      }
      at = Math.max(at, end);
    }
    return found;
  }
}
