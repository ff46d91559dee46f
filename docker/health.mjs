// The image's health check: exit code 0 where the worker's event loop answers within
// 4 seconds. Asks the worker's metrics port and, where nothing listens there, the local
// API's default port; INFERNODE_HEALTH_URL names another address.
const kLimitMs = 4000;

const { INFERNODE_HEALTH_URL: given, INFERNODE_METRICS_PORT: port } = process.env;
const metrics = { url: `http://127.0.0.1:${port}/metrics`, says: "infernode_jobs_running" };
const api = { url: "http://127.0.0.1:8000/health", says: '"jobs"' };
const places = given ? [{ url: given, says: "" }] : port ? [metrics, api] : [api];

// Resolves to undefined, or to a sentence about what is wrong.
async function problemOf({ url, says }) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(kLimitMs) });
    const text = await response.text();
    if (!response.ok) return `${url} answers ${response.status}`;
    return text.includes(says) ? undefined : `${url} is not the worker's: it does not tell ${says}`;
  } catch (error) {
    return `${url}: ${error.cause?.message ?? error.message}`;
  }
}

const problems = await Promise.all(places.map(problemOf));
const healthy = problems.includes(undefined);
console.log(healthy ? "healthy" : problems.join("; "));
process.exitCode = healthy ? 0 : 1;
