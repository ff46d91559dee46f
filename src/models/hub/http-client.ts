// HTTP for the pull: one request, one answer, redirects followed by hand. The token goes to
// the hub's own origin and to nothing else, whatever a server answers. Nothing is retried
// and no status judged here.
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { checkServerIdentity } from "node:tls";
import type { HubSettings } from "../hub-environment.js";
import { networkFailure, Transient } from "./failures.js";
import type { PullLimits } from "./limits.js";
import { Agents } from "./proxies.js";

/** What is asked. */
export interface HttpAsk {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
}

/** An answer whose body has not been read. Who gets it must read or destroy the body. */
export interface HttpAnswer {
  /** Where it came from in the end. */
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: IncomingMessage;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const longestChain = 8;

/** The connections of one pull; to be closed. */
export class HttpClient {
  readonly #origin: string;
  readonly #token: string | undefined;
  readonly #agents: Agents;
  readonly #stallMs: number;

  constructor(settings: HubSettings, limits: PullLimits) {
    this.#origin = new URL(settings.endpoint).origin;
    this.#token = settings.token;
    this.#agents = new Agents(settings.proxy);
    this.#stallMs = limits.stallMs;
  }

  /**
   * Asks, and follows redirects.
   * @param mayFollow judges each redirect's target
   * @throws Transient, InferenceError
   */
  async ask(url: URL, what: HttpAsk, mayFollow: (target: URL) => boolean = () => true): Promise<HttpAnswer> {
    let at = url;
    for (let hop = 0; hop <= longestChain; hop += 1) {
      const answer = await this.#send(at, what);
      if (!redirects.has(answer.status)) return answer;
      answer.body.destroy();
      const location = answer.headers.location ?? "http://"; // no address
      const target = URL.canParse(location, at.href) ? new URL(location, at) : undefined;
      if (target === undefined || !isFollowable(at, target) || !mayFollow(target)) {
        throw new Transient(`${at.host} redirects to where no file can be fetched from`);
      }
      at = target;
    }
    throw new Transient(`${url.host} redirects more than ${longestChain} times`);
  }

  close(): void {
    this.#agents.close();
  }

  #send(url: URL, what: HttpAsk): Promise<HttpAnswer> {
    const isHub = url.origin === this.#origin && this.#token !== undefined;
    const headers = {
      "user-agent": "infernode",
      "accept-encoding": "identity",
      ...what.headers,
      ...(isHub && { authorization: `Bearer ${this.#token}` }),
    };
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const { method = "GET", signal } = what;
      const agent = this.#agents.for(url);
      const sent = send(url, { method, headers, signal, agent, checkServerIdentity: identityOf(url) });
      const late = setTimeout(() => {
        const stalled = new Transient(`${url.host} did not answer`);
        reject(stalled); // a connection that is still being made does not hear of destroy()
        sent.destroy(stalled);
      }, this.#stallMs);
      sent.on("response", (body) => {
        clearTimeout(late);
        resolve({ url, status: body.statusCode ?? 0, headers: body.headers, body });
      });
      sent.on("error", (thrown) => {
        clearTimeout(late);
        reject(networkFailure(thrown, url.host));
      });
      sent.end(what.body);
    });
  }
}

/**
 * The judge of a certificate's names. Node judges by the same name, except where a proxy's agent
 * has taken an IP address out of the options: then it asks for "localhost".
 */
function identityOf({ hostname }: URL): typeof checkServerIdentity {
  const name = hostname.replace(/^\[|\]$/g, "");
  return (_, certificate) => checkServerIdentity(name, certificate);
}

/** Web addresses only, and never from an encrypted connection to one that is not. */
function isFollowable(from: URL, to: URL): boolean {
  const isWeb = to.protocol === "https:" || to.protocol === "http:";
  return isWeb && !(from.protocol === "https:" && to.protocol === "http:");
}

/** The whole body as text. @throws Transient where it is longer than `limit` or breaks off */
export async function readText(answer: HttpAnswer, limit: number, stall: PullLimits): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of guardedBody(answer, stall)) {
    bytes += chunk.length;
    if (bytes > limit) throw new Transient(`${answer.url.host} answers with more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * The body's chunks; a body that stalls or breaks off is a Transient. Leaving the loop
 * early closes the connection.
 */
export async function* guardedBody(answer: HttpAnswer, limits: PullLimits): AsyncGenerator<Buffer> {
  const { body, url } = answer;
  let since = 0;
  const watch = setInterval(() => {
    if (since < limits.stallBytes) body.destroy(new Transient(`${url.host} stopped sending`));
    since = 0;
  }, limits.stallMs);
  try {
    for await (const chunk of body) {
      since += (chunk as Buffer).length;
      const handedOver = performance.now();
      yield chunk as Buffer;
      // A slow reader, such as a slow disk, is no fault of the server's.
      if (performance.now() - handedOver > limits.stallMs / 2) since += limits.stallBytes;
    }
    if (!body.complete) throw new Transient(`${url.host} broke the connection off`);
  } catch (thrown) {
    throw networkFailure(thrown, url.host);
  } finally {
    clearInterval(watch);
    body.destroy();
  }
}
