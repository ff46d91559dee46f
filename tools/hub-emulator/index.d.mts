// The types of index.mjs, for tests in TypeScript.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";

export interface RepositoryOptions {
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly gated?: boolean;
  readonly isPrivate?: boolean;
  readonly revisions?: readonly string[];
  /** The token that may read it. */
  readonly token?: string;
}

export interface HubRequest {
  readonly origin: "hub" | "store";
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

export interface TreeEntry {
  readonly type: string;
  readonly path: string;
  readonly size: number;
  readonly oid: string;
  readonly lfs?: { readonly oid: string; readonly size: number; readonly pointerSize: number };
}

/** May be changed while the hub runs. */
export interface HubOptions {
  fault?: ((request: HubRequest) => string | undefined) | undefined;
  bytesPerSecond?: number | undefined;
  pageSize?: number | undefined;
  /** The address of each next page. */
  nextPage?: string | undefined;
  /** Changes what the tree lists. */
  tree?: ((entries: readonly TreeEntry[]) => readonly unknown[]) | undefined;
  intercept?:
    | ((request: IncomingMessage, response: ServerResponse, url: URL, origin: "hub" | "store") => boolean)
    | undefined;
}

export interface Hub {
  readonly endpoint: string;
  readonly store: string;
  readonly requests: HubRequest[];
  readonly state: HubOptions & {
    /** Where the hub redirects to for LFS files. */
    storeUrl: string;
  };
  commitOf(repository: string): string;
  sentBytes(): number;
  close(): Promise<unknown>;
}

export const faultKinds: readonly string[];
export function randomNumbers(seed: number): () => number;
export function seededFaults(options: {
  readonly seed: number;
  readonly share: number;
  readonly kinds?: readonly string[];
}): () => string | undefined;
export function gitSha1(content: Uint8Array): string;
export function sha256(content: Uint8Array): string;
export function startHub(
  repositories: Readonly<Record<string, RepositoryOptions>>,
  options?: HubOptions,
): Promise<Hub>;
