// A text-generation worker on the emulated platform, in this process: the model is
// real, the wire is real.
import type { Handler } from "../../src/serverless/contract.js";
import type { TextGenerationService } from "../../src/text-generation/service.js";
import { textGenerationWorker } from "../../src/text-generation/worker.js";
import type { Platform } from "../../tools/platform-emulator/index.mjs";
import { finished, type Running, type SceneOptions, withWorker } from "../serverless/harness.js";

export interface TextScene {
  readonly platform: Platform;
  readonly worker: Running;
  readonly service: () => TextGenerationService;
  /** Does a job with this input. */
  run(input: unknown): Promise<Done>;
}

/** What became of a job. */
export interface Done {
  readonly status: string;
  readonly output: unknown;
  /** Items that were streamed. */
  readonly stream: readonly unknown[];
  /** OpenAI's error object, where the job failed with one. */
  readonly error:
    | {
        readonly message: string;
        readonly type: string;
        readonly code: string | null;
        readonly param: string | null;
      }
    | undefined;
}

export interface TextSceneOptions extends SceneOptions {
  /** Looks on at what the worker's handler is given and gives. */
  readonly around?: (handler: Handler) => Handler;
}

/** Runs the work with a worker whose environment is this. */
export async function withTextWorker(
  environment: Readonly<Record<string, string>>,
  work: (scene: TextScene) => Promise<void>,
  { around = (handler) => handler, ...scene }: TextSceneOptions = {},
): Promise<void> {
  const { options, service } = textGenerationWorker({ MAX_NUM_SEQS: "4", ...environment }, () => {
    throw new Error("the engine broke");
  });
  await withWorker({ ...options, handler: around(options.handler) }, scene, async ({ platform, worker }) => {
    let count = 0;
    const run = async (input: unknown): Promise<Done> => {
      count += 1;
      const { done, stream, status } = await finished(platform, { id: `job-${count}`, input }, 55_000);
      const [{ output, error } = {}] = done;
      return { status, output, stream, error: error === undefined ? undefined : JSON.parse(error) };
    };
    const loaded = () => {
      const found = service();
      if (found === undefined) throw new Error("the worker is not prepared");
      return found;
    };
    await work({ platform, worker, service: loaded, run });
  });
  await service()?.close();
}

/** The objects of server-sent events, [DONE] checked and left out. */
export function eventsOf(stream: readonly unknown[]): Record<string, unknown>[] {
  const text = stream.join("");
  if (!text.endsWith("data: [DONE]\n\n")) throw new Error("the stream does not end with [DONE]");
  return text
    .split("\n\n")
    .slice(0, -2)
    .map((event) => JSON.parse(event.replace(/^data: /, "")) as Record<string, unknown>);
}
