// Traffic in lanes: each lane is a client that sends its requests one after
// another, a pause before each. A lane's request is { prompt, newTokens, pause }
// (pause in ms). What an engine brings is generate(prompt, newTokens, onTokens),
// which calls onTokens(count) as tokens arrive and resolves to the prompt tokens
// that were counted.
import { setTimeout as sleep } from "node:timers/promises";
import { tokenClock } from "./workload.mjs";

// Sends everything and resolves to one list per lane of { submitted, arrivals,
// promptTokens }, times in ms since the first request.
export async function runLanes(lanes, generate) {
  const begin = performance.now();
  const runLane = async (requests) => {
    const done = [];
    for (const { prompt, newTokens, pause } of requests) {
      if (pause > 0) await sleep(pause);
      const clock = tokenClock();
      const promptTokens = await generate(prompt, newTokens, (count) => clock.token(count));
      const since = (time) => time - begin;
      done.push({ submitted: since(clock.submitted), arrivals: clock.arrivals.map(since), promptTokens });
    }
    return done;
  };
  return Promise.all(lanes.map(runLane));
}
