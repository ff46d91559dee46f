// One HTTP request over a kept connection, with the time at which each piece of the answer
// came. node:http and not fetch(), which puts two streams and several promises between a
// packet and its reader: that time would be measured as the server's.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { messageOfThrown } from "../thrown.js";
import { tlsFailure } from "../tls-failure.js";

/** What is sent. */
export interface ExchangeRequest {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** What came back, or why nothing did. */
export type ExchangeEnd =
  | { readonly type: "answered"; readonly status: number; readonly body: string; readonly isWhole: boolean }
  | { readonly type: "failed"; readonly errorClass: string; readonly sentence: string }
  | { readonly type: "cancelled" };

/** Bytes of an answer that is no stream, at most: it is shown in a sentence. */
const shownBytes = 65_536;

/** Kept connections to servers. */
export class Connections {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 4096 });
  readonly #https = new HttpsAgent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 4096 });

  /**
   * Never rejects. A server may close a kept connection just when it is used again; that
   * request was not read, and is sent once more on a new one.
   */
  async exchange(request: ExchangeRequest, heard: ExchangeNews = {}): Promise<ExchangeEnd> {
    const first = await this.#attempt(request, heard);
    const end = first.type === "stale" ? await this.#attempt(request, heard) : first;
    return end.type === "stale" ? end.failure : end;
  }

  #attempt(request: ExchangeRequest, { sending, bytes }: ExchangeNews): Promise<ExchangeEnd | Stale> {
    const { method, url, headers, body, signal } = request;
    return new Promise((resolve) => {
      const isSecure = url.protocol === "https:";
      const options = { method, headers, agent: isSecure ? this.#https : this.#http, signal };
      let hasAnswer = false;
      const onResponse = (response: IncomingMessage) => {
        hasAnswer = true;
        void readAnswer(response, signal, bytes).then(resolve);
      };
      const sent = isSecure ? httpsRequest(url, options, onResponse) : httpRequest(url, options, onResponse);
      sent.setNoDelay(true);
      // Emitted just before the request is written to a kept connection, or a new one is opened.
      if (sending !== undefined) sent.once("socket", () => sending(performance.now()));
      sent.on("error", (thrown) => {
        if (hasAnswer) return; // the answer tells
        const failure = signal.aborted ? cancelled : failureOf(thrown);
        const isStale = sent.reusedSocket && failure.type === "failed" && failure.errorClass === "closed";
        resolve(isStale ? { type: "stale", failure } : failure);
      });
      sent.end(body);
    });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

type OnBytes = (bytes: Uint8Array, atMs: number) => void;

/** What is told while an exchange runs; times are of performance.now(). */
export interface ExchangeNews {
  /** The request leaves this process now: building it is not the server's time. */
  readonly sending?: (atMs: number) => void;
  /** Each piece of a 200 answer and when it came; without it the body is kept. */
  readonly bytes?: OnBytes;
}

/** A kept connection was closed before it was used again. */
interface Stale {
  readonly type: "stale";
  readonly failure: ExchangeEnd;
}

const cancelled: ExchangeEnd = { type: "cancelled" };

function readAnswer(
  response: IncomingMessage,
  signal: AbortSignal,
  onBytes: OnBytes | undefined,
): Promise<ExchangeEnd> {
  const status = response.statusCode ?? 0;
  const stream = status === 200 ? onBytes : undefined;
  const kept: Uint8Array[] = [];
  let keptBytes = 0;
  return new Promise((resolve) => {
    response.on("data", (bytes: Uint8Array) => {
      const atMs = performance.now();
      if (stream !== undefined) stream(bytes, atMs);
      else if (keptBytes < shownBytes) kept.push(bytes);
      keptBytes += bytes.length;
    });
    response.on("error", () => {}); // it closes, too, and is not whole
    response.on("close", () => {
      const body = Buffer.concat(kept).toString("utf8");
      const { complete: isWhole } = response;
      resolve(signal.aborted && !isWhole ? cancelled : { type: "answered", status, body, isWhole });
    });
  });
}

const connectCodes: ReadonlySet<unknown> = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "EADDRNOTAVAIL"],
]);
const closedCodes: ReadonlySet<unknown> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED"]);

function failureOf(thrown: unknown): ExchangeEnd {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  const sentence = (messageOfThrown(thrown) || String(code)).replace(/\s+/g, " ").trim();
  const tls = tlsFailure(thrown);
  if (tls !== undefined) {
    const what = tls.cause === "certificate" ? "its certificate is not trusted" : "it answers without TLS";
    return { type: "failed", errorClass: "network", sentence: `${what} (${tls.code}); ${tls.advice}` };
  }
  if (connectCodes.has(code)) return { type: "failed", errorClass: "connect", sentence };
  if (closedCodes.has(code)) return { type: "failed", errorClass: "closed", sentence };
  return { type: "failed", errorClass: "network", sentence };
}
