// What a hub's answer means when it is no success: access refused, a repository, revision or
// file that is not there, or a fault that another attempt may cure.
import { InferenceError } from "../../errors.js";
import { downloadFailed, Transient } from "./failures.js";
import type { HttpAnswer } from "./http-client.js";

/** What was asked for. */
export interface Asked {
  /** In the middle of a sentence: "the repository owner/name", "the file a.gguf of owner/name". */
  readonly what: string;
  /** owner/name; undefined: an address that is no hub's. */
  readonly repository: string | undefined;
  readonly revision: string | undefined;
  readonly endpoint: string;
  readonly hasToken: boolean;
}

const longestClauseOfServer = 160;

/** The failure of an answer whose status is neither 2xx nor a redirect; its body is destroyed. */
export function statusFailure(answer: HttpAnswer, asked: Asked): Error {
  answer.body.destroy();
  const { status, headers, url } = answer;
  const code = text(headers["x-error-code"]);
  // A store that the hub redirects to: its address has expired, or it has a bad moment.
  if (asked.repository !== undefined && url.origin !== new URL(asked.endpoint).origin) {
    return new Transient(`${url.host} answered ${status}`, askedPause(headers));
  }
  if (status === 401 || status === 403 || status === 451) return refusedAccess(answer, asked, code);
  if (status === 404 || status === 410) return notFound(asked, code);
  if (status === 407) return downloadFailed(`the proxy asks for a user name and a password: ${asked.what}`);
  const said = text(headers["x-error-message"]);
  const problem = `${url.host} answered ${status}${said === "" ? "" : ` (${said})`}`;
  if (status === 429) return new Transient(problem, askedPause(headers) ?? 5000);
  if (status === 408 || status === 416 || status === 425 || status >= 500 || status < 400) {
    return new Transient(problem, askedPause(headers));
  }
  return downloadFailed(`${asked.what} could not be fetched: ${problem}`);
}

function refusedAccess({ status, headers, url }: HttpAnswer, asked: Asked, code: string): InferenceError {
  const { what, repository, endpoint, hasToken } = asked;
  const denied = (sentence: string) => new InferenceError("MODEL_ACCESS_DENIED", sentence);
  if (repository === undefined) {
    return denied(`${url.host} refuses access to ${what} (status ${status})`);
  }
  if (code === "RepoNotFound" && hasToken) return notFound(asked, code);
  const page = `${endpoint}/${repository}`;
  if (code === "GatedRepo") {
    return denied(
      hasToken
        ? `the repository ${repository} is gated: request access on ${page} with the account of your HF_TOKEN`
        : `the repository ${repository} is gated: accept its conditions on ${page}, then set HF_TOKEN to a token of that account`,
    );
  }
  const said = text(headers["x-error-message"]);
  if (hasToken) {
    const reason = said === "" ? "" : ` ("${said}")`;
    return denied(
      `the hub refuses access to ${what}${reason}: check that HF_TOKEN is valid and may read ${repository}`,
    );
  }
  return denied(
    `the repository ${repository} does not exist or is private: check the name, or set HF_TOKEN to a token that may read it`,
  );
}

function notFound({ what, repository, revision, endpoint }: Asked, code: string): InferenceError {
  const missing = (sentence: string) => new InferenceError("MODEL_NOT_FOUND", sentence);
  if (repository === undefined) return missing(`${what} does not exist`);
  if (code === "RevisionNotFound") {
    return missing(`the repository ${repository} has no revision "${revision ?? "main"}"`);
  }
  if (code === "EntryNotFound") return missing(`${what} does not exist`);
  if (code === "RepoNotFound") return missing(`the repository ${repository} does not exist on ${endpoint}`);
  return missing(`${endpoint} does not know ${what}; check the name and the revision`);
}

/** Retry-After in milliseconds: seconds, or a date. */
function askedPause(headers: HttpAnswer["headers"]): number | undefined {
  const after = text(headers["retry-after"]);
  if (/^\d+(?:\.\d+)?$/.test(after)) return Number(after) * 1000;
  const date = Date.parse(after);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** A header's text, fit for a sentence. */
function text(header: string | readonly string[] | undefined): string {
  const joined = typeof header === "string" ? header : (header ?? []).join(", ");
  return joined
    .replace(/[^\x20-\x7e]/g, " ")
    .trim()
    .slice(0, longestClauseOfServer);
}
