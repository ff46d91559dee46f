// The emulated platform as the Hub's test harness is: what it lacks, and what it sets.
import { createPlatform } from "../platform-emulator/index.mjs";

// The Hub's harness sets four variables and neither a key nor addresses for streams and
// pings; its addresses have no query, and it knows neither batches nor stops.
export async function hubPlatform() {
  const platform = await createPlatform({ apiKey: "", pingIntervalMs: 60_000 });
  const unknown = Array.from({ length: 1000 }, () => ({ status: 404 }));
  for (const route of ["job-take-batch", "job-stop"]) platform.script(route, unknown);
  const base = `${platform.url}/v2/ep`;
  const env = platform.env({
    RUNPOD_LOG_LEVEL: "INFO",
    RUNPOD_WEBHOOK_GET_JOB: `${base}/job-take/$RUNPOD_POD_ID`,
    RUNPOD_WEBHOOK_POST_OUTPUT: `${base}/job-done/$RUNPOD_POD_ID/$ID`,
    RUNPOD_WEBHOOK_POST_STREAM: undefined,
    RUNPOD_WEBHOOK_PING: undefined,
    RUNPOD_PING_INTERVAL: undefined,
    RUNPOD_AI_API_KEY: undefined,
  });
  return { platform, env };
}
