// One file on its server: answers requests for ranges of it. Where a redirect led is kept for
// the next request, and asked for anew when that address has expired.
import type { ByteRange } from "./byte-ranges.js";
import { Changed, Transient } from "./failures.js";
import type { HttpAnswer, HttpClient } from "./http-client.js";
import { type Asked, statusFailure } from "./statuses.js";

/** Where ranges of a file come from. */
export class FileSource {
  readonly #client: HttpClient;
  readonly #url: URL;
  readonly #asked: Asked;
  readonly #validator: string | undefined;
  #location: URL | undefined;

  /** @param validator what ETag (or date) every answer must have; undefined: any, the digest decides */
  constructor(client: HttpClient, url: URL, asked: Asked, validator?: string) {
    this.#client = client;
    this.#url = url;
    this.#asked = asked;
    this.#validator = validator;
  }

  /** The file's name in the middle of a sentence. */
  get what(): string {
    return this.#asked.what;
  }

  /**
   * Asks for a range. The answer's status is 200 or 206; its body must be read or destroyed.
   * @throws Transient, Changed, InferenceError
   */
  async ask(range: ByteRange, signal: AbortSignal): Promise<HttpAnswer> {
    const known = this.#location;
    const headers = { range: `bytes=${range.start}-${range.end - 1}` };
    const answer = await this.#client.ask(known ?? this.#url, { headers, signal });
    if (answer.status !== 200 && answer.status !== 206) {
      this.#location = undefined;
      if (known === undefined) throw statusFailure(answer, this.#asked);
      answer.body.destroy();
      throw new Transient(`${known.host} answered ${answer.status}`);
    }
    const validator = validatorOf(answer);
    if (this.#validator !== undefined && validator !== this.#validator) {
      answer.body.destroy();
      throw new Changed("the server has another version of the file now");
    }
    if (answer.url.href !== this.#url.href) this.#location = answer.url;
    return answer;
  }
}

/** What tells versions of a file apart: its ETag, else its date; undefined where it has neither. */
export function validatorOf({ headers }: HttpAnswer): string | undefined {
  return headers.etag ?? headers["last-modified"];
}
