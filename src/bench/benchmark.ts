// A benchmark from its judged options to its result: opens the target, measures the client,
// takes the digest, and runs every load point as often as it is to be repeated. It tells what
// it has after every repeat, so that nothing measured is lost whatever ends it.
import { messageOfThrown } from "../thrown.js";
import { type Calibration, calibrate } from "./calibration.js";
import type { ColdStart } from "./cold-start.js";
import { costOf } from "./cost.js";
import { type GreedyDigest, greedyDigest } from "./digest.js";
import { fieldFormulas } from "./fields.js";
import { repeatFigures } from "./figures.js";
import { deviceCount } from "./frontier.js";
import { buildIdentity, type MachineIdentity, machineIdentity } from "./identity.js";
import { interruptedAtColdStarts } from "./interrupted.js";
import { type Amount, type Load, runRepeat } from "./load.js";
import { measureNll, type Nll, type NllFinding } from "./nll.js";
import { amountOf, type JudgedBenchmark, loadsOf, usersOf } from "./options.js";
import { type PhysicsFacts, type PhysicsIdentity, physicsIdentity } from "./physics.js";
import { type MeasuredRepeat, type PointResult, pointResult } from "./point.js";
import { gpuNames, type Price, priceOf } from "./price.js";
import type { RequestRecord } from "./record.js";
import { judge, type Reference, type ReferenceVerdict, readReference } from "./reference.js";
import { LoadPlan, type Saturation } from "./sweep.js";
import { type Target, TargetFailure } from "./target.js";
import { Watch } from "./watch.js";
import { Workload } from "./workload.js";
import {
  longestRequest,
  readWorkloadFile,
  type WorkloadFile,
  type WorkloadFileIdentity,
} from "./workload-file.js";

/** Why a benchmark ended. */
export interface BenchmarkEnd {
  readonly reason: "running" | "finished" | "interrupted" | "failed";
  /** What failed; null where nothing did. */
  readonly sentence: string | null;
}

/** The result's file. */
export interface BenchmarkResult {
  readonly schema: "infernode-bench/1";
  readonly ended: BenchmarkEnd;
  readonly startedAt: string;
  readonly machine: MachineIdentity;
  readonly build: ReturnType<typeof buildIdentity>;
  readonly target: Target["identity"];
  readonly options: Readonly<Record<string, unknown>>;
  readonly workloadFile: WorkloadFileIdentity | null;
  /** Milliseconds in which the model was loaded, or the endpoint asked what it takes; null: it was not. */
  readonly openMs: number | null;
  /** Null where none was asked for. */
  readonly cold: ColdStart | null;
  readonly price: Price | null;
  readonly calibration: readonly Calibration[] | null;
  readonly greedyDigest: GreedyDigest | null;
  /** How likely the model holds fixed texts and its own batched answers to be; null: nllMissing says why. */
  readonly nll: Nll | null;
  readonly nllMissing: string | null;
  /** Null without --reference. */
  readonly reference: ReferenceVerdict | null;
  /** What the model costs and its devices can do; null for endpoints. */
  readonly physics: PhysicsIdentity | null;
  readonly points: readonly PointResult[];
  /** Of each sweep; empty without one. */
  readonly saturation: readonly Saturation[];
  /** By a field's path: its unit and its formula. */
  readonly fields: typeof fieldFormulas;
}

/** What a benchmark tells while it runs. */
export interface BenchmarkNews {
  /** What is done before the first load point, for people: each takes seconds, on a slow device minutes. */
  onPhase?(name: string): void;
  /** At each repeat's begin and each request's end. @param ended requests of this repeat @param expected null: as many as the time lets begin */
  onRequest?(at: { load: Load; repeat: number; ended: number; expected: number | null }): void;
  /** A load point is done, or as far as it came. */
  onPoint?(point: PointResult): void;
  /** All that is known so far, after each repeat and at the end. */
  onResult?(result: BenchmarkResult): void;
}

/** A benchmark's surroundings. */
export interface BenchmarkCall extends BenchmarkNews {
  /** Measures cold starts, where the options ask for some; before anything is opened. */
  readonly cold?: (signal: AbortSignal) => Promise<ColdStart | null>;
  /** @param traceTokens of a trace's longest request; undefined without a trace */
  readonly open: (signal: AbortSignal, traceTokens: number | undefined) => Promise<Target>;
  readonly signal: AbortSignal;
}

/**
 * Runs a benchmark to its end or to the signal; what was measured by then is the result.
 * @throws what opening the target throws, and INVALID_OPTION of a file of requests: nothing was
 *   measured then
 */
export async function runBenchmark(options: JudgedBenchmark, call: BenchmarkCall): Promise<BenchmarkResult> {
  const file = readWorkloadFile(options);
  const reference = readReference(options.reference);
  const cold = options.cold === undefined ? null : ((await call.cold?.(call.signal)) ?? null);
  if (cold !== null && call.signal.aborted) {
    const result = interruptedAtColdStarts(options, file.identity, cold);
    call.onResult?.(result);
    return result;
  }
  const beganMs = performance.now();
  const target = await call.open(call.signal, longestRequest(file));
  const openMs = performance.now() - beganMs;
  try {
    return await new Benchmark(options, file, { target, openMs, cold, reference }, call).run();
  } finally {
    await target.close();
  }
}

class Benchmark {
  readonly #options: JudgedBenchmark;
  readonly #file: WorkloadFile;
  readonly #target: Target;
  readonly #call: BenchmarkCall;
  readonly #startedAt = new Date().toISOString();
  readonly #points: PointResult[] = [];
  readonly #plan: LoadPlan;
  readonly #openMs: number;
  readonly #cold: ColdStart | null;
  readonly #reference: Reference | null;
  readonly #price: Price | null;
  readonly #gpus: number;
  #calibration: readonly Calibration[] | null = null;
  #digest: GreedyDigest | null = null;
  #nll: NllFinding = { nll: null, reason: "not measured" };
  #physics: PhysicsFacts | null = null;

  constructor(
    options: JudgedBenchmark,
    file: WorkloadFile,
    { target, openMs, cold, reference }: Opened,
    call: BenchmarkCall,
  ) {
    this.#options = options;
    this.#file = file;
    this.#plan = new LoadPlan(options);
    this.#target = target;
    this.#openMs = openMs;
    this.#cold = cold;
    this.#reference = reference;
    this.#price = priceOf({ names: gpuNames(options, target), pricePerHour: options.pricePerHour });
    this.#gpus = deviceCount({ target: target.identity, options });
    this.#call = call;
  }

  async run(): Promise<BenchmarkResult> {
    try {
      await this.#measure();
    } catch (thrown) {
      if (!(thrown instanceof TargetFailure)) throw thrown;
      return this.#tell({ reason: "failed", sentence: messageOfThrown(thrown) });
    }
    const reason = this.#call.signal.aborted ? "interrupted" : "finished";
    return this.#tell({ reason, sentence: null });
  }

  async #measure(): Promise<void> {
    const { signal, onPhase } = this.#call;
    const { url, calibrate: isCalibrated, physics, nll } = this.#options;
    if (url !== undefined && isCalibrated) {
      onPhase?.("measuring this client's own error");
      this.#calibration = await calibrate(signal);
    }
    if (physics && !signal.aborted) {
      onPhase?.("measuring what the devices can do");
      this.#physics = await this.#target.physics();
    }
    onPhase?.("asking for answers at temperature 0");
    this.#digest = await greedyDigest(this.#target, signal);
    if (nll) onPhase?.("measuring the loss of fixed texts");
    this.#nll = await this.#measureNll();
    for (let load = this.#plan.next([]); load !== null; load = this.#plan.next(this.#points)) {
      if (signal.aborted) return;
      await this.#point(load);
    }
  }

  async #measureNll(): Promise<NllFinding> {
    if (!this.#options.nll) return { nll: null, reason: "not measured (--no-nll)" };
    if (this.#call.signal.aborted) return { nll: null, reason: "the run was cancelled" };
    return measureNll(this.#target, mostStreams(this.#options), this.#call.signal);
  }

  async #point(load: Load): Promise<void> {
    const { repeats } = this.#options;
    const measured: MeasuredRepeat[] = [];
    const place = this.#points.length;
    const store = (isComplete: boolean) => {
      if (measured.length === 0) return;
      const point = pointResult(load, measured, isComplete, this.#gpus);
      this.#points[place] = { ...point, cost: costOf(point, this.#price, this.#serverless()) };
      this.#tell({ reason: "running", sentence: null });
    };
    let isComplete = false;
    try {
      for (let repeat = 0; repeat < repeats && !this.#call.signal.aborted; repeat += 1) {
        store(false);
        await this.#repeat(load, place, repeat, (each) => measured.push(each));
      }
      isComplete = !this.#call.signal.aborted;
    } finally {
      store(isComplete);
      const point = this.#points[place];
      if (point !== undefined) this.#call.onPoint?.(point);
    }
  }

  /** Of an endpoint, the cold start is known where it is given. */
  #serverless() {
    const { url, traffic, coldStart, idleTimeout } = this.#options;
    const { totalMs, firstTokenMs } = this.#cold?.phases ?? {};
    const startMs = totalMs && firstTokenMs ? totalMs.mean - firstTokenMs.mean : this.#openMs;
    const measured = url === undefined ? startMs / 1000 : null;
    return {
      requestsPerHour: traffic,
      coldStartSeconds: coldStart ?? measured,
      idleTimeoutSeconds: idleTimeout,
    };
  }

  /** @param keep told what was measured, also where the target was lost midway */
  async #repeat(
    load: Load,
    place: number,
    repeat: number,
    keep: (measured: MeasuredRepeat) => void,
  ): Promise<void> {
    const { seed, timeout, sloTtft, sloItl, turns } = this.#options;
    const { prompts, trace } = this.#file;
    const own = `${seed}/${place}/${repeat}`;
    const users = usersOf(load, this.#options);
    const workload = new Workload({ ...this.#options, prompts, trace }, this.#target.sizer, own, users);
    const amount = amountOf(load, this.#options);
    const expected = expectedOf(load, amount, trace?.length ?? 0);
    const records: RequestRecord[] = [];
    const next = () => workload.next();
    const { signal, onRequest } = this.#call;
    const watch = await Watch.start(this.#target);
    onRequest?.({ load, repeat, ended: 0, expected });
    try {
      const order = {
        ...{ load, amount, next, seed: own, timeoutMs: timeout * 1000, signal },
        ...{ needsAnswers: turns !== undefined, traceMs: (trace ?? []).map(({ atMs }) => atMs) },
      };
      await runRepeat(this.#target, order, (record) => {
        records.push(record);
        onRequest?.({ load, repeat, ended: records.length, expected });
      });
    } finally {
      const surroundings = { ...(await watch.stop()), physics: this.#physics };
      const slo = { ttftMs: sloTtft, itlMs: sloItl };
      if (records.length > 0) keep(repeatFigures(load, records, slo, surroundings));
    }
  }

  #tell(ended: BenchmarkEnd): BenchmarkResult {
    const { apiKey: _, ...options } = this.#options;
    const result: BenchmarkResult = {
      ...{ schema: "infernode-bench/1", ended, startedAt: this.#startedAt },
      ...{ machine: machineIdentity(), build: buildIdentity(), target: this.#target.identity, options },
      ...{ workloadFile: this.#file.identity, openMs: this.#openMs, cold: this.#cold, price: this.#price },
      ...{
        calibration: this.#calibration,
        greedyDigest: this.#digest,
        nll: this.#nll.nll,
        nllMissing: this.#nll.reason,
        reference: judge(this.#reference, { digest: this.#digest, nll: this.#nll.nll }),
        physics: this.#physics && physicsIdentity(this.#physics),
        points: [...this.#points],
      },
      saturation: this.#plan.saturations(this.#points),
      fields: fieldFormulas,
    };
    this.#call.onResult?.(result);
    return result;
  }
}

/** Of the listed loads; a sweep's are not known yet. */
function mostStreams(options: JudgedBenchmark): number {
  return Math.max(0, ...loadsOf(options).map((load) => (load.type === "concurrency" ? load.concurrency : 0)));
}

interface Opened {
  readonly target: Target;
  readonly openMs: number;
  readonly cold: ColdStart | null;
  readonly reference: Reference | null;
}

/** Requests of a repeat; null: as many as the time lets begin. */
function expectedOf(load: Load, { warmup, requests, seconds }: Amount, traceLength: number): number | null {
  if (seconds !== undefined) return null;
  if (load.type === "trace") return Math.min(traceLength, warmup + (requests ?? traceLength));
  return requests === undefined ? null : warmup + requests;
}
