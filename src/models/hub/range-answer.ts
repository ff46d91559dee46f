// Whether an answer to a request for a range is what was asked for. Servers ignore ranges,
// shorten them, answer with others, compress, and say other sizes: each is told apart here.
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { ByteRange } from "./byte-ranges.js";
import { networkFailure, Transient } from "./failures.js";
import { guardedBody, type HttpAnswer } from "./http-client.js";
import type { PullLimits } from "./limits.js";

/** The server sends whole files only. */
export class RangeIgnored extends Error {}

/** The bytes that an answer holds. */
export interface AnsweredRange extends ByteRange {
  /** How they are compressed; undefined: not at all. */
  readonly encoding: string | undefined;
}

/**
 * @param bytes the file's size
 * @throws Transient, RangeIgnored
 */
export function judgeRange(answer: HttpAnswer, wanted: ByteRange, bytes: number): AnsweredRange {
  const { status, headers, url } = answer;
  const encoding = encodingOf(headers["content-encoding"]);
  if (status === 200) {
    const length = headers["content-length"];
    if (encoding === undefined && length !== undefined && Number(length) !== bytes) {
      throw new Transient(`${url.host} says that the file has ${length} bytes instead of ${bytes}`);
    }
    if (wanted.start > 0 || wanted.end < bytes) throw new RangeIgnored("ranges are ignored");
    return { start: 0, end: bytes, encoding };
  }
  if (status !== 206) throw new Transient(`${url.host} answered ${status}`);
  if (encoding !== undefined) throw new Transient(`${url.host} compresses a part of the file`);
  const told = headers["content-range"] ?? "";
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(told) ?? [];
  const range = { start: Number(first), end: Number(last) + 1 };
  if (
    first === undefined ||
    range.start !== wanted.start ||
    range.end <= range.start ||
    range.end > wanted.end
  ) {
    const asked = `bytes ${wanted.start}-${wanted.end - 1}`;
    throw new Transient(`${url.host} answered with another range than ${asked}`);
  }
  if (size !== "*" && Number(size) !== bytes) {
    throw new Transient(`${url.host} says that the file has ${size} bytes instead of ${bytes}`);
  }
  return { ...range, encoding };
}

/** The bytes of an answer, not compressed, at most as many as it was judged to hold. */
export async function* bytesOf(
  answer: HttpAnswer,
  range: AnsweredRange,
  limits: PullLimits,
): AsyncGenerator<Buffer> {
  const { host } = answer.url;
  let left = range.end - range.start;
  for await (const chunk of decoded(answer, range.encoding, limits)) {
    if (chunk.length > left) throw new Transient(`${host} sends more bytes than the file has`);
    left -= chunk.length;
    yield chunk;
    if (left === 0 && range.encoding === undefined && answer.status === 206) return;
  }
  if (left > 0) throw new Transient(`${host} sent ${left} bytes less than announced`);
}

async function* decoded(
  answer: HttpAnswer,
  encoding: string | undefined,
  limits: PullLimits,
): AsyncGenerator<Buffer> {
  if (encoding === undefined) return yield* guardedBody(answer, limits);
  const { host } = answer.url;
  const decoder = decoderOf(encoding);
  if (decoder === undefined) throw new Transient(`${host} compresses in an unknown way`);
  const source = guardedBody(answer, limits);
  const pumped = (async () => {
    for await (const chunk of source) {
      if (!decoder.write(chunk))
        await new Promise((resolve) => decoder.once("drain", resolve).once("close", resolve));
      if (decoder.destroyed) return;
    }
    decoder.end();
  })().catch((thrown: unknown) => decoder.destroy(thrown instanceof Error ? thrown : undefined));
  try {
    for await (const chunk of decoder) yield chunk as Buffer;
  } catch (thrown) {
    throw networkFailure(thrown, host);
  } finally {
    decoder.destroy();
    answer.body.destroy();
    await pumped;
  }
}

function decoderOf(encoding: string) {
  switch (encoding) {
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "deflate":
      return createInflate();
    case "br":
      return createBrotliDecompress();
    default:
      return undefined;
  }
}

function encodingOf(header: string | undefined): string | undefined {
  const encoding = header?.trim().toLowerCase();
  return encoding === "" || encoding === "identity" ? undefined : encoding;
}
