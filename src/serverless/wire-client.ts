// One HTTP exchange with the platform, on node:http: raw headers, gzip, a
// timeout, and an abort that can let an answer through whose headers are here.
// Keeps sockets alive, and drops the idle ones when the process was frozen.
import http from "node:http";
import https from "node:https";
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from "node:zlib";

export interface WireRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Milliseconds until the answer must be complete. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds after the abort in which an answer may still begin; then we hang up
   * and read until the platform does so too. An answer that has begun is read to its
   * end. Undefined: the abort ends everything at once.
   */
  readonly abortGraceMs?: number | undefined;
}

/** Status line and headers of an answer. */
export interface WireHead {
  readonly status: number;
  /** Milliseconds of a Retry-After header, a minute at most; may be 0. */
  readonly retryAfterMs: number | undefined;
  readonly location: string | undefined;
}

export interface WireResponse extends WireHead {
  readonly body: string;
}

/** Why there is no answer. */
export type WireFailureKind = "timeout" | "aborted" | "network";

/** How far an exchange had come when it failed. */
export interface WireProgress {
  /** Whether the socket had carried an exchange before: it may simply have been stale. */
  readonly reusedSocket: boolean;
  /** Whether the whole request was written to the socket: only then may the platform have it. */
  readonly sent: boolean;
  /** Of an answer whose body broke off. */
  readonly head: WireHead | undefined;
}

/** No answer came, or not all of it: the world's error, for the caller to look at. */
export class WireFailure extends Error {
  constructor(
    readonly kind: WireFailureKind,
    message: string,
    readonly progress: WireProgress,
  ) {
    super(message);
    this.name = "WireFailure";
  }
}

const maximumAnswerBytes = 256 * 2 ** 20;
/** Of a platform that does not answer our hanging up. */
const hangUpMs = 400;
/** A worker that were told to wait for longer would be idle for a mistake of somebody's. */
const longestRetryMs = 60_000;

export class WireClient {
  readonly #plain = new http.Agent({ keepAlive: true, scheduling: "lifo" });
  readonly #secure = new https.Agent({ keepAlive: true, scheduling: "lifo" });

  /** @throws WireFailure */
  request(request: WireRequest): Promise<WireResponse> {
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(request, this.#agent(request.url), resolve, reject);
      exchange.start();
    });
  }

  /** Closes idle sockets; those at work stay. */
  dropIdleSockets(): void {
    for (const agent of [this.#plain, this.#secure]) {
      for (const sockets of Object.values(agent.freeSockets))
        for (const socket of sockets ?? []) socket.destroy();
    }
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  #agent(url: string): http.Agent {
    return url.startsWith("https:") ? this.#secure : this.#plain;
  }
}

/** One request from its start to its single settlement. */
class Exchange {
  readonly #request: WireRequest;
  readonly #agent: http.Agent;
  readonly #resolve: (response: WireResponse) => void;
  readonly #reject: (failure: WireFailure) => void;
  #outgoing: http.ClientRequest | undefined;
  #sent = false;
  #head: WireHead | undefined;
  #hungUp = false;
  #settled = false;
  #timer: NodeJS.Timeout | undefined;
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(
    request: WireRequest,
    agent: http.Agent,
    resolve: (response: WireResponse) => void,
    reject: (failure: WireFailure) => void,
  ) {
    this.#request = request;
    this.#agent = agent;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    const { method, url, headers, body, timeoutMs, signal } = this.#request;
    if (signal?.aborted) {
      this.#fail("aborted", "aborted before it was sent");
      return;
    }
    const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
    try {
      const send = url.startsWith("https:") ? https.request : http.request;
      this.#outgoing = send(url, { method, agent: this.#agent, headers: { ...headers, ...length } });
    } catch (thrown) {
      this.#fail("network", `invalid URL or header: ${describe(thrown)}`);
      return;
    }
    this.#outgoing.on("finish", () => {
      this.#sent = true;
    });
    this.#outgoing.on("response", (response) => this.#answer(response));
    this.#outgoing.on("upgrade", (_response, socket) => {
      socket.destroy();
      this.#fail("network", "status 101, another protocol");
    });
    this.#outgoing.on("error", (error) => this.#fail(this.#hungUp ? "aborted" : "network", describe(error)));
    const late = `no answer within ${timeoutMs} ms`;
    this.#timer = setTimeout(() => afterArrivals(() => this.#fail("timeout", late)), timeoutMs);
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#outgoing.end(body);
  }

  readonly #onAbort = (): void => {
    const graceMs = this.#request.abortGraceMs;
    if (graceMs === undefined) {
      this.#fail("aborted", "aborted");
      return;
    }
    this.#graceTimer = setTimeout(() => afterArrivals(() => this.#hangUp()), graceMs);
  };

  // What the platform said before it hears of our leaving still arrives: a job that it
  // handed out into a socket destroyed by us would be nobody's.
  #hangUp(): void {
    if (this.#head !== undefined || this.#settled) return;
    const socket = this.#outgoing?.socket;
    if (!socket || socket.connecting) {
      this.#fail("aborted", "aborted before it was sent");
      return;
    }
    this.#hungUp = true;
    socket.end();
    const giveUp = () => {
      if (this.#head === undefined) this.#fail("aborted", "aborted");
    };
    this.#graceTimer = setTimeout(() => afterArrivals(giveUp), hangUpMs);
  }

  #answer(response: http.IncomingMessage): void {
    this.#head = headOf(response);
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > maximumAnswerBytes) this.#fail("network", `the answer exceeds ${maximumAnswerBytes} bytes`);
    });
    response.on("error", (error) => this.#fail("network", describe(error)));
    response.on("close", () => this.#fail("network", "the answer broke off"));
    response.on("end", () => {
      if (!response.complete) {
        this.#fail("network", "the answer broke off");
        return;
      }
      this.#finish(response, Buffer.concat(chunks));
    });
  }

  #finish(response: http.IncomingMessage, bytes: Buffer): void {
    let body: string;
    try {
      body = decode(bytes, response.headers["content-encoding"]).toString("utf8");
    } catch (thrown) {
      this.#fail("network", `the answer cannot be decompressed: ${describe(thrown)}`);
      return;
    }
    this.#detach();
    const head = headOf(response);
    this.#resolve({ ...head, body });
    // Refused early, as by a proxy's 413: the rest of the body is wanted by nobody.
    if (!this.#sent && head.status >= 300) this.#outgoing?.destroy();
  }

  #fail(kind: WireFailureKind, message: string): void {
    if (this.#settled) return;
    this.#detach();
    const reusedSocket = this.#outgoing?.reusedSocket ?? false;
    this.#reject(new WireFailure(kind, message, { reusedSocket, sent: this.#sent, head: this.#head }));
    this.#outgoing?.on("error", () => {}); // what destroying it brings up is known
    this.#outgoing?.destroy();
  }

  #detach(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#graceTimer);
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }
}

function headOf({ statusCode = 0, headers }: http.IncomingMessage): WireHead {
  return {
    status: statusCode,
    retryAfterMs: retryAfter(headers["retry-after"]),
    location: headers.location,
  };
}

/**
 * Timers come before sockets where this process did not run for a while: what has
 * arrived meanwhile is read before its lateness is judged.
 */
function afterArrivals(judge: () => void): void {
  setImmediate(() => setImmediate(judge));
}

function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { code } = thrown as NodeJS.ErrnoException;
  return thrown.message || code || thrown.name; // an AggregateError of connect() has no message
}

function decode(bytes: Buffer, encoding: string | undefined): Buffer {
  if (bytes.length === 0) return bytes;
  const limit = { maxOutputLength: maximumAnswerBytes };
  switch (encoding?.toLowerCase()) {
    case "gzip":
    case "x-gzip":
      return gunzipSync(bytes, limit);
    case "deflate":
      // Some servers leave out zlib's header, whose first byte ends in 8.
      return ((bytes[0] ?? 0) & 15) === 8 ? inflateSync(bytes, limit) : inflateRawSync(bytes, limit);
    case "br":
      return brotliDecompressSync(bytes, limit);
    default:
      return bytes;
  }
}

function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds) && seconds >= 0) return Math.min(seconds * 1000, longestRetryMs);
  const until = Date.parse(header) - Date.now();
  return Number.isFinite(until) ? Math.max(0, Math.min(until, longestRetryMs)) : undefined;
}
