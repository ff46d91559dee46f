// The handler of the kill soak: writes down each time that it begins a job, and marks what it gives
// by that time, so that the output of one run cannot pass for that of two.
import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { serverless } from "infernode";

async function* items(run, count) {
  for (let index = 0; index < count; index += 1) {
    await sleep(2);
    yield `${run} ${index}`;
  }
}

async function handler({ id, input }) {
  const run = randomUUID();
  appendFileSync(process.env.BEGUN, `${id}\n`);
  if (input.type === "stream") return items(run, input.count);
  await sleep(input.ms);
  if (input.type === "fail") throw new Error("as it was told to");
  return { run, number: input.number };
}

serverless.start({ handler, concurrencyModifier: () => 8, returnAggregateStream: true });
