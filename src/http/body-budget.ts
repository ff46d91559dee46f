// How many bytes of bodies may be on their way at once: each holds memory until it is whole,
// whatever queue it is for.
import { ApiError } from "../openai/api-error.js";

export class BodyBudget {
  readonly #limit: number;
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /**
   * Reads a body; one without a length is counted as the largest that it may be. Where no other is on
   * its way it is admitted, whatever its size.
   * @param limitBytes that the body may have
   * @throws ApiError 429 where too many are on their way; what the reader throws
   */
  async read<Body>(
    request: Request,
    limitBytes: number,
    reader: (request: Request, limitBytes: number) => Promise<Body>,
  ): Promise<Body> {
    const bytes = Math.min(announcedBytes(request) ?? limitBytes, limitBytes);
    if (this.#bytes > 0 && this.#bytes + bytes > this.#limit) {
      throw new ApiError(429, "too many bytes of requests are on their way; send this one again later", {
        code: "too_many_bytes",
      });
    }
    this.#bytes += bytes;
    try {
      return await reader(request, limitBytes);
    } finally {
      this.#bytes -= bytes;
    }
  }
}

/** Undefined: it is not said. */
function announcedBytes(request: Request): number | undefined {
  const length = request.headers.get("content-length");
  if (length !== null) return Number(length);
  return request.body === null ? 0 : undefined;
}
