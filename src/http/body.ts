// A request's body as JSON, bounded: what is too large is refused by its announced length
// or as soon as it is, whatever its length was said to be.
import { constants } from "node:buffer";
import { ApiError } from "../openai/api-error.js";

/** A body, and how long it was. */
export interface ReadBody {
  /** Undefined: the body is empty. */
  readonly value: unknown;
  /** As it was written. */
  readonly text: string;
  readonly bytes: number;
}

const whatToDo = "send a JSON object with Content-Type: application/json";

/** @throws ApiError 413, 415, 400 */
export async function readJson(request: Request, limitBytes: number): Promise<ReadBody> {
  const { text, bytes } = await readText(request, limitBytes);
  if (text.trim() === "") return { value: undefined, text, bytes };
  try {
    return { value: JSON.parse(text), text, bytes };
  } catch (thrown) {
    throw new ApiError(400, `the body is no JSON: ${(thrown as Error).message}; ${whatToDo}`, {
      code: "invalid_json",
    });
  }
}

/** A body that need not be JSON. @throws ApiError 413, 415, 400 */
export async function readText(
  request: Request,
  limitBytes: number,
): Promise<{ readonly text: string; readonly bytes: number }> {
  refuseForm(request.headers);
  const bytes = await readBytes(request, limitBytes);
  return { text: decoded(bytes), bytes: bytes.length };
}

/** Compressed bodies are refused, so that a small one cannot become a large one. */
function refuseForm(headers: Headers): void {
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    throw new ApiError(415, `Content-Encoding ${encoding} is not supported; send the body as it is`);
  }
  const type = headers.get("content-type") ?? "";
  if (/^multipart\//i.test(type))
    throw new ApiError(415, `Content-Type ${type.split(";")[0]} is not supported; ${whatToDo}`);
}

/** A text of more bytes may be longer than a string can be. */
const mostBytes = constants.MAX_STRING_LENGTH;

async function readBytes(request: Request, allowedBytes: number): Promise<Uint8Array> {
  const limitBytes = Math.min(allowedBytes, mostBytes);
  const announced = request.headers.get("content-length");
  if (announced !== null) {
    if (Number(announced) > limitBytes) throw tooLarge(limitBytes);
    return new Uint8Array(await request.arrayBuffer()); // Node lets no more through than was announced
  }
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw tooLarge(limitBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(limitBytes: number): ApiError {
  return new ApiError(413, `a body may have at most ${limitBytes} bytes`, { code: "body_too_large" });
}

/** A byte order mark is left out. */
function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ApiError(400, "the body is not UTF-8 text", { code: "invalid_encoding" });
  }
}
