// Sends a file's content as a hub or its store does: whole or a range, with an ETag, as slow
// as wanted, or with a fault.
import { sendFault } from "./faults.mjs";

const kChunk = 64 * 1024;

/** @param options.fault kind of a fault; options.bytesPerSecond; options.onSent told each chunk's size */
export function sendContent(request, response, content, options) {
  const { etag, fault, bytesPerSecond, onSent, headers: more } = options;
  const range = rangeOf(request.headers.range, content.length);
  if (range === "unsatisfiable") {
    response.writeHead(416, { "content-range": `bytes */${content.length}` });
    return response.end();
  }
  const status = range === undefined ? 200 : 206;
  const body = range === undefined ? content : content.subarray(range.start, range.end);
  const headers = {
    ...more,
    etag: `"${etag}"`,
    "accept-ranges": "bytes",
    "content-type": "application/octet-stream",
    "content-length": body.length,
    ...(range && { "content-range": `bytes ${range.start}-${range.end - 1}/${content.length}` }),
  };
  if (request.method === "HEAD") {
    response.writeHead(status, headers);
    return response.end();
  }
  if (fault !== undefined && sendFault(fault, response, { status, headers, body, entire: content }))
    return undefined;
  response.writeHead(status, headers);
  return trickle(response, body, bytesPerSecond, onSent);
}

function trickle(response, body, bytesPerSecond, onSent) {
  let at = 0;
  const next = () => {
    if (response.destroyed) return;
    if (at >= body.length) return response.end();
    const chunk = body.subarray(at, at + kChunk);
    at += chunk.length;
    onSent?.(chunk.length);
    const pause = bytesPerSecond === undefined ? 0 : (chunk.length / bytesPerSecond) * 1000;
    response.write(chunk, () => (pause > 0 ? setTimeout(next, pause) : next()));
  };
  next();
}

function rangeOf(header, size) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined) return undefined;
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  return start >= size || end <= start ? "unsatisfiable" : { start, end };
}
