// The types of proxy.mjs, for tests in TypeScript.
export interface ProxyOptions {
  /** Of a request's body. */
  readonly limitBytes: number;
  /** For one body above it after the other; the last one stays. */
  readonly manners: readonly ("reset" | "early" | "late")[];
}

export interface Proxy {
  readonly url: string;
  /** The manners of the bodies that were not passed on. */
  readonly refused: readonly string[];
  close(): Promise<void>;
}

export function createProxy(target: string, options: ProxyOptions): Promise<Proxy>;
