// The one file of the worker that touches the process: environment, arguments,
// signals, output and exit. Everything else gets a Host, which tests replace.

/** What ends a process from outside the loop. */
export interface HostEvents {
  onSignal(signal: "SIGTERM" | "SIGINT"): void;
  /** An exception nobody caught. */
  onBroken(thrown: unknown): void;
  /** A rejection nobody caught; lines logged here carry the id of the job whose code made the promise. */
  onRejected(thrown: unknown): void;
  /** Code called process.exit(). @returns whether to wait for end() instead */
  onExit(code: number): boolean;
}

export interface Host {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Arguments after the script's path. */
  readonly arguments: readonly string[];
  readonly directory: string;
  write(text: string): void;
  /** Listens until the returned function is called. */
  listen(events: HostEvents): () => void;
  /** Ends the process at once. */
  end(code: number): void;
}

/** The process itself. */
export function processHost(): Host {
  const realExit = process.exit.bind(process);
  // Jobs matter more than their log: whoever reads it may leave, its disk may be full.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  return {
    environment: { ...process.env },
    arguments: process.argv.slice(2),
    directory: process.cwd(),
    write: (text) => void process.stdout.write(text),
    listen,
    end: realExit,
  };
}

function listen(events: HostEvents): () => void {
  const onTerminate = () => events.onSignal("SIGTERM");
  const onInterrupt = () => events.onSignal("SIGINT");
  const onHangup = () => {}; // a closed terminal is no reason to leave
  const onBroken = (thrown: unknown) => events.onBroken(thrown);
  const onRejected = (thrown: unknown) => events.onRejected(thrown);
  const realExit = process.exit;
  process.on("SIGTERM", onTerminate).on("SIGINT", onInterrupt).on("SIGHUP", onHangup);
  process.on("uncaughtException", onBroken).on("unhandledRejection", onRejected);
  process.exit = (code?: number | string | null): never => {
    if (events.onExit(Number(code ?? process.exitCode ?? 0))) throw new ExitCalled();
    return realExit(code);
  };
  return () => {
    process.off("SIGTERM", onTerminate).off("SIGINT", onInterrupt).off("SIGHUP", onHangup);
    process.off("uncaughtException", onBroken).off("unhandledRejection", onRejected);
    process.exit = realExit;
  };
}

/** Unwinds a handler that called process.exit() while the jobs are failed first. */
export class ExitCalled extends Error {
  constructor() {
    super("process.exit() was called; the process ends once its jobs are answered");
    this.name = "ExitCalled";
  }
}

/** Anything can be thrown, also what throws when it is looked at. */
export function isExitCalled(thrown: unknown): boolean {
  try {
    return thrown instanceof ExitCalled;
  } catch {
    return false;
  }
}
