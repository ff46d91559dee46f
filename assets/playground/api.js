// The server's API as this page uses it: relative addresses, so that it works behind a prefix too;
// the key in a header, never in an address; one sentence for whatever goes wrong.

/** Where the tab keeps its key; closing the tab forgets it. */
const keyName = "infernode-key";

/** A failure in one sentence, with the status where the server answered. */
export class Failure extends Error {
  /** @param {string} message @param {number} [status] */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** In place of the tab's storage, which a browser may forbid. */
let heldKey = "";

/** @returns {string} empty: none */
export function apiKey() {
  try {
    return sessionStorage.getItem(keyName) ?? heldKey;
  } catch {
    return heldKey;
  }
}

/** @param {string} key */
export function keepKey(key) {
  heldKey = key;
  try {
    sessionStorage.setItem(keyName, key);
  } catch {
    // It is held until the page is left.
  }
}

/** @param {string} path such as "v1/models" */
export function addressOf(path) {
  return new URL(path, document.baseURI).href;
}

/** @returns {Promise<{status: string, models?: string[]}>} @throws Failure where nobody answers */
export async function health() {
  const response = await reached(fetch(addressOf("health"), { cache: "no-store" }));
  return response.json();
}

/**
 * @typedef {{id: string, max_model_len: number}} Model
 * @returns {Promise<Model[]>} @throws Failure
 */
export async function models() {
  const response = await reached(fetch(addressOf("v1/models"), { headers: headers(), cache: "no-store" }));
  if (!response.ok) throw await failureOf(response);
  return (await response.json()).data;
}

/**
 * Sends a request and reads its stream of events.
 * @param {{path: string, body: object}} request
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<any, void>} each event's object @throws Failure, also midway; AbortError
 */
export async function* streamed({ path, body }, signal) {
  const response = await reached(
    fetch(addressOf(path), {
      method: "POST",
      headers: { ...headers(), "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    }),
  );
  if (!response.ok || response.body === null) throw await failureOf(response);
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const object = JSON.parse(data);
    if (object.error !== undefined) throw new Failure(object.error.message);
    yield object;
  }
  throw new Failure("The answer broke off: the connection to the server was lost.");
}

function headers() {
  const key = apiKey();
  /** @type {Record<string, string>} */
  const carried = key === "" ? {} : { Authorization: `Bearer ${key}` };
  return carried;
}

/** @param {Promise<Response>} request */
async function reached(request) {
  try {
    return await request;
  } catch (thrown) {
    if (isAbort(thrown)) throw thrown;
    throw new Failure("The server cannot be reached. Is it still running?");
  }
}

/** @param {unknown} thrown */
export function isAbort(thrown) {
  return thrown instanceof DOMException && thrown.name === "AbortError";
}

/** @param {Response} response */
async function failureOf(response) {
  const told = await response.json().catch(() => undefined);
  const said = told?.error?.message ?? told?.error;
  const sentence = typeof said === "string" ? said : `The server answered with status ${response.status}.`;
  return new Failure(sentence, response.status);
}

/**
 * The data of server-sent events, whatever pieces they come in.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trim();
    }
  } catch (thrown) {
    if (isAbort(thrown)) throw thrown;
    throw new Failure("The answer broke off: the connection to the server was lost.");
  } finally {
    reader.cancel().catch(() => {});
  }
}
