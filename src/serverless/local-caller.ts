// Whether a request to the local API comes from a web page that is not the API's. A
// browser sends some requests to any address without asking first, and each of them
// would run a job of whatever page is open.
import type { IncomingHttpHeaders } from "node:http";

/**
 * False for JSON: before a browser sends that to another origin, it asks, and is
 * never allowed.
 */
export function ofAnotherPage(headers: IncomingHttpHeaders): boolean {
  const { origin, host } = headers;
  if (/^application\/json\s*(?:;|$)/i.test(headers["content-type"] ?? "")) return false;
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  return origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host);
}
