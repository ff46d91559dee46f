// serverless.progressUpdate(): progress by the job instead of its context, for
// handlers written after the Python worker's. Finds the running job by its id.

const running = new Map<string, (value: unknown) => void>();
let warned = false;

/** Lets progressUpdate() find a job until the returned function is called. */
export function reachable(jobId: string, progress: (value: unknown) => void): () => void {
  running.set(jobId, progress);
  return () => {
    if (running.get(jobId) === progress) running.delete(jobId);
  };
}

/** Shows a value as a running job's output; ignored, with one warning, for a job that does not run. */
export function progressUpdate(job: { readonly id: string }, value: unknown): void {
  const progress = running.get(job.id);
  if (progress !== undefined) {
    progress(value);
    return;
  }
  if (warned) return;
  warned = true;
  process.emitWarning(`serverless.progressUpdate(): job ${job.id} does not run here; ignored`);
}
