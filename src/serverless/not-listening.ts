// Why an address cannot be had, with what to do about it.
import { messageOfThrown } from "../thrown.js";

/** @param port what says the port, such as "--port" */
const advices: Readonly<Record<string, (port: string) => string>> = {
  EADDRINUSE: (port) => `another program listens there; end it, or give another port by ${port}`,
  EACCES: (port) => `this user may not have that port; give one from 1024 on by ${port}`,
  EADDRNOTAVAIL: () => "this machine has no such address; 0.0.0.0 is all that it has",
  ENOTFOUND: () =>
    "the host is no address and no known name; 127.0.0.1 is this machine, 0.0.0.0 all its addresses",
};

/** A sentence's end about what listen() threw. @param port what says the port, such as "--port" */
export function whyNotListening(thrown: unknown, port: string): string {
  const code = (thrown as { code?: unknown } | undefined)?.code;
  return advices[String(code)]?.(port) ?? messageOfThrown(thrown);
}
