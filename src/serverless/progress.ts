// serverless.progressUpdate(): progress by the job instead of its context, for
// handlers written after the Python worker's. Finds the running job by the object that
// its handler was given, else by its id.

const running = new Map<string, (value: unknown) => void>();
const handedOut = new WeakMap<object, (value: unknown) => void>();
let warned = false;

/** Lets progressUpdate() find a job until the returned function is called. */
export function reachable(jobId: string, progress: (value: unknown) => void): () => void {
  running.set(jobId, progress);
  return () => {
    if (running.get(jobId) === progress) running.delete(jobId);
  };
}

/** Lets progressUpdate() find a job by the object its handler has, whatever becomes of the id in it. */
export function handOut(job: object, progress: (value: unknown) => void): void {
  handedOut.set(job, progress);
}

/** Shows a value as a running job's output; ignored, with one warning, for a job that does not run. */
export function progressUpdate(job: { readonly id: string }, value: unknown): void {
  const progress = handedOut.get(job) ?? running.get(job.id);
  if (progress !== undefined) {
    progress(value);
    return;
  }
  if (warned) return;
  warned = true;
  process.emitWarning(`serverless.progressUpdate(): job ${job.id} does not run here; ignored`);
}
