// Faults of hubs and of their stores: which request fails, stalls or lies, by a seed, and
// how an answer is spoilt. Holds no state but the random numbers.
import { gzipSync } from "node:zlib";

/** All kinds of faults, and what a client sees. */
export const faultKinds = [
  "error500",
  "error503",
  "error429",
  "reset",
  "noAnswer",
  "stall",
  "short",
  "resetInBody",
  "wholeInstead",
  "otherRange",
  "otherSize",
  "wrongBytes",
  "gzip",
  "html",
];

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A function that names each request's fault, or none, for a share of requests. */
export function seededFaults({ seed, share, kinds = faultKinds }) {
  const random = randomNumbers(seed);
  return () => (random() < share ? kinds[Math.floor(random() * kinds.length)] : undefined);
}

/**
 * Answers with a fault. `whole` is the answer that would be right: status, headers and body.
 * @returns false where the fault does not apply to such an answer, which is then sent as it is
 */
export function sendFault(kind, response, { status, headers, body, entire }) {
  const half = body.subarray(0, Math.floor(body.length / 2));
  switch (kind) {
    case "error500":
    case "error503":
    case "error429":
      response.writeHead(Number(kind.slice(-3)), kind === "error429" ? { "retry-after": "0" } : {});
      response.end("sorry");
      return true;
    case "html":
      response.writeHead(200, { "content-type": "text/html" });
      response.end("<html><body>Welcome to our network</body></html>");
      return true;
    case "reset":
      response.socket.resetAndDestroy();
      return true;
    case "noAnswer":
      return true;
    case "stall":
      response.writeHead(status, headers);
      response.write(half);
      return true;
    case "short":
    case "resetInBody":
      response.writeHead(status, headers);
      response.write(half, () =>
        kind === "short" ? response.socket.end() : response.socket.resetAndDestroy(),
      );
      return true;
    case "wrongBytes": {
      const spoilt = Buffer.from(body);
      if (spoilt.length > 0) spoilt[Math.floor(spoilt.length / 3)] ^= 0x20;
      response.writeHead(status, headers);
      response.end(spoilt);
      return true;
    }
    default:
      return sendLie(kind, response, { status, headers, body, entire });
  }
}

/** Lies about ranges, sizes and encodings. */
function sendLie(kind, response, { status, headers, body, entire }) {
  const { "content-range": range, "content-length": _, ...others } = headers;
  if (kind === "gzip") {
    const packed = gzipSync(body);
    response.writeHead(status, { ...headers, "content-encoding": "gzip", "content-length": packed.length });
    response.end(packed);
    return true;
  }
  if (kind === "otherSize" && status === 200) {
    response.writeHead(200, { ...others, "content-length": body.length + 7 });
    response.end(Buffer.concat([body, Buffer.alloc(7)]));
    return true;
  }
  if (range === undefined) return false;
  if (kind === "wholeInstead") {
    response.writeHead(200, { ...others, "content-length": entire.length });
    response.end(entire);
    return true;
  }
  const [, first, last, total] = /(\d+)-(\d+)\/(\d+)/.exec(range);
  const told =
    kind === "otherRange"
      ? `bytes ${Number(first) + 1}-${Number(last) + 1}/${total}`
      : `bytes ${first}-${last}/${Number(total) + 7}`;
  response.writeHead(206, { ...others, "content-range": told, "content-length": body.length });
  response.end(body);
  return true;
}
