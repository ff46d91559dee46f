// A server whose handler is the test's own, and its jobs by RunPod's API.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { sleep } from "../../src/backoff.js";
import { judgeStartOptions, type StartOptions } from "../../src/serverless/contract.js";
import { call, json, type Reply, type Scene, type SceneOptions, withServer } from "../http/scene.js";

export interface JobScene extends Scene {
  /** A request to the endpoint "ep", its body as JSON. */
  send(method: string, path: string, body?: unknown): Promise<Reply>;
  /** Asks until a job's status is this one. */
  until(id: string, status: string): Promise<Reply>;
}

/** Runs the work with a server of this handler. */
export async function withHandler(
  options: StartOptions | StartOptions["handler"],
  work: (scene: JobScene) => Promise<void>,
  more: SceneOptions = {},
): Promise<void> {
  const given = typeof options === "function" ? { handler: options } : options;
  const served = { options: judgeStartOptions(given), text: undefined, close: async () => {} };
  await withServer({ ...more, served }, async (scene) => {
    const send = (method: string, path: string, body?: unknown) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      return call(`${scene.url}/v2/ep/${path}`, method, text, json);
    };
    const until = async (id: string, status: string) => {
      for (;;) {
        const reply = await send("GET", `status/${id}`);
        if (reply.json.status === status) return reply;
      }
    };
    await work({ ...scene, send, until });
  });
}

/** Runs the work with a webhook and what it was told. @param afterMs that it takes to hear it */
export async function withHook(
  work: (webhook: string, told: readonly unknown[]) => Promise<void>,
  afterMs = 0,
): Promise<void> {
  const told: unknown[] = [];
  const hook = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    await sleep(afterMs);
    told.push(JSON.parse(Buffer.concat(chunks).toString()));
    response.end();
  }).listen(0, "127.0.0.1");
  await once(hook, "listening");
  try {
    await work(`http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`, told);
  } finally {
    hook.close();
  }
}

/** What a job asks the handler below for. */
interface Asked {
  readonly echo?: unknown;
  readonly throws?: string;
  readonly items?: readonly unknown[];
  readonly hangs?: true;
  readonly progress?: unknown;
}

/** Echoes, throws, streams or hangs until it is stopped, as the input says. */
export const obedient: StartOptions<Asked>["handler"] = async ({ input }, { signal, progress }) => {
  const { echo, throws, items, hangs, progress: shown } = Object(input) as Asked;
  if (shown !== undefined) progress(shown);
  if (throws !== undefined) throw new Error(throws);
  if (items !== undefined) return generate(items);
  if (hangs) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  return echo;
};

async function* generate(items: readonly unknown[]) {
  yield* items;
}
