// The worker's configuration: the RunPod environment as one judged, frozen
// value. A pure function of its record; only host.ts reads the real environment.
// A value that makes no sense is warned of and replaced by the default, because
// a worker that dies at boot costs more than one that uses a default.
import { randomUUID } from "node:crypto";
import type { CheckLimits } from "./system-checks.js";

/** Log levels from silent to all; TIP lines are printed at every level but NOTSET. */
export type WorkerLogLevel = "NOTSET" | "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR";

/** The level of the wire protocol we speak, as the Python worker numbers it. */
const protocolVersion = "1.12.0";

export interface WorkerConfig {
  readonly workerId: string;
  /** RUNPOD_POD_ID as given; undefined where unset, and then nothing pings. */
  readonly podId: string | undefined;
  /** URL templates, see urls.ts; undefined where unset. */
  readonly takeTemplate: string | undefined;
  readonly doneTemplate: string | undefined;
  readonly streamTemplate: string | undefined;
  readonly pingTemplate: string | undefined;
  /** Sent raw in Authorization; "" where unset. */
  readonly apiKey: string;
  readonly hostname: string;
  readonly endpointId: string | undefined;
  readonly logLevel: WorkerLogLevel;
  readonly pingIntervalMs: number;
  /** Append "&…" to URLs without a query, as Python does. */
  readonly rawAppend: boolean;
  readonly protocolVersion: string;
  readonly userAgent: string;
  /** Milliseconds running jobs get at shutdown; undefined: as long as they need. */
  readonly shutdownGraceMs: number | undefined;
  /** Bytes a result may have. */
  readonly outputLimitBytes: number;
  /** A rejection that nobody caught fails all jobs and ends the worker, instead of being logged. */
  readonly exitsOnUnhandled: boolean;
  /** Where Prometheus may ask; undefined: nowhere. */
  readonly metricsPort: number | undefined;
  /** Milliseconds a poll for jobs or stops may be held. */
  readonly pollMs: number;
  /** Milliseconds a result is sent again and again before it is given up. */
  readonly deliveryBudgetMs: number;
  /** Port of the HTTP API to serve instead of asking for jobs; undefined: none. */
  readonly realtimePort: number | undefined;
  /** Jobs that API runs at once; undefined: as many as the concurrency modifier says. */
  readonly realtimeConcurrency: number | undefined;
  /** What this machine must have before jobs are taken. */
  readonly checks: CheckLimits;
  /** Sentences about values that were replaced. */
  readonly warnings: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** RunPod's documented result limit for /runsync. */
const outputLimitBytes = 20_000_000;
const deliveryBudgetMs = 120_000;
const pollMs = 90_000;
/** Node's timers end at once where they are to wait for longer. */
const longestMs = 2 ** 31 - 1;
const levels: readonly string[] = ["NOTSET", "TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

/** Reads the RunPod variables out of an environment. */
export function readConfig(environment: Environment): WorkerConfig {
  const warnings: string[] = [];
  const text = (name: string) => environment[name] || undefined;
  const version = text("RUNPOD_PROTOCOL_VERSION") ?? protocolVersion;
  return Object.freeze({
    workerId: text("RUNPOD_POD_ID") ?? randomUUID(),
    podId: text("RUNPOD_POD_ID"),
    takeTemplate: text("RUNPOD_WEBHOOK_GET_JOB"),
    doneTemplate: text("RUNPOD_WEBHOOK_POST_OUTPUT"),
    // The second name is that of older simulators and compatible platforms.
    streamTemplate: text("RUNPOD_WEBHOOK_POST_STREAM") ?? text("RUNPOD_WEBHOOK_JOB_STREAM"),
    pingTemplate: text("RUNPOD_WEBHOOK_PING"),
    apiKey: environment.RUNPOD_AI_API_KEY ?? "",
    hostname: text("RUNPOD_POD_HOSTNAME") ?? "unknown",
    endpointId: text("RUNPOD_ENDPOINT_ID"),
    logLevel: readLevel(environment, warnings),
    pingIntervalMs: Math.max(100, readMs(environment, "RUNPOD_PING_INTERVAL", warnings) ?? 10_000),
    rawAppend: text("RUNPOD_COMPAT_RAW_APPEND") === "1",
    protocolVersion: version,
    userAgent: userAgent(version, text("RUNPOD_UA_INTEGRATION")),
    shutdownGraceMs: readMs(environment, "RUNPOD_SHUTDOWN_GRACE_MS", warnings),
    outputLimitBytes: readNumber(environment, "INFERNODE_OUTPUT_LIMIT_BYTES", warnings) ?? outputLimitBytes,
    exitsOnUnhandled: readFlag(environment, "INFERNODE_EXIT_ON_UNHANDLED", warnings),
    metricsPort: readNumber(environment, "INFERNODE_METRICS_PORT", warnings),
    pollMs: readMs(environment, "INFERNODE_POLL_MS", warnings) || pollMs,
    deliveryBudgetMs: readMs(environment, "INFERNODE_DELIVERY_BUDGET_MS", warnings) ?? deliveryBudgetMs,
    realtimePort: readNumber(environment, "RUNPOD_REALTIME_PORT", warnings) || undefined,
    realtimeConcurrency: readNumber(environment, "RUNPOD_REALTIME_CONCURRENCY", warnings) || undefined,
    checks: readChecks(environment, warnings),
    warnings,
  });
}

function readChecks(environment: Environment, warnings: string[]): CheckLimits {
  const number = (name: string) => readNumber(environment, name, warnings);
  const seconds = (name: string) => {
    const given = number(name);
    return given === undefined ? undefined : Math.min(given, longestMs / 1000);
  };
  const isTrue = (name: string) => environment[name]?.toLowerCase() === "true";
  const cudaVersion = environment.RUNPOD_MIN_CUDA_VERSION || "11.8";
  if (!/^\d+(?:\.\d+)*$/.test(cudaVersion)) {
    const given = JSON.stringify(cudaVersion);
    warnings.push(`RUNPOD_MIN_CUDA_VERSION must be a version such as 12.4, got ${given}; 11.8 is used.`);
  }
  return Object.freeze({
    skipSystem: isTrue("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS"),
    skipGpu: isTrue("RUNPOD_SKIP_GPU_CHECK"),
    memoryGb: number("RUNPOD_MIN_MEMORY_GB") ?? 4,
    diskPercent: number("RUNPOD_MIN_DISK_PERCENT") ?? 10,
    networkSeconds: seconds("RUNPOD_NETWORK_CHECK_TIMEOUT") ?? 5,
    cudaVersion: /^\d+(?:\.\d+)*$/.test(cudaVersion) ? cudaVersion : "11.8",
    gpuSeconds: seconds("RUNPOD_GPU_TEST_TIMEOUT") || 30,
  });
}

// The platform may gate features on the version it reads here, so the product
// of the protocol comes first and ours second.
function userAgent(version: string, integration: string | undefined): string {
  const platform = `${process.platform}; ${process.arch}`;
  const base = `RunPod-Python-SDK/${version} (${platform}) Language/Node ${process.versions.node} infernode`;
  return integration === undefined ? base : `${base} Integration/${integration}`;
}

function readLevel(environment: Environment, warnings: string[]): WorkerLogLevel {
  const name = ["RUNPOD_LOG_LEVEL", "RUNPOD_DEBUG_LEVEL"].find((variable) => environment[variable]);
  if (name === undefined) return levelOf(environment.DEBUG) ?? "INFO"; // others use DEBUG for other things
  const level = levelOf(environment[name]);
  if (level === undefined) {
    const given = JSON.stringify(environment[name]);
    warnings.push(`${name} must be one of ${levels.join(", ")}, got ${given}; INFO is used.`);
  }
  return level ?? "INFO";
}

/** The level a name stands for, in any case of letters. */
export function levelOf(name: string | undefined): WorkerLogLevel | undefined {
  const upper = name?.toUpperCase();
  if (upper === "WARNING") return "WARN";
  return upper !== undefined && levels.includes(upper) ? (upper as WorkerLogLevel) : undefined;
}

function readNumber(environment: Environment, name: string, warnings: string[]): number | undefined {
  const given = environment[name];
  if (given === undefined || given.trim() === "") return undefined;
  const value = Number(given);
  if (Number.isFinite(value) && value >= 0) return value;
  warnings.push(`${name} must be a number of at least 0, got ${JSON.stringify(given)}; its default is used.`);
  return undefined;
}

function readMs(environment: Environment, name: string, warnings: string[]): number | undefined {
  const given = readNumber(environment, name, warnings);
  return given === undefined ? undefined : Math.min(given, longestMs);
}

function readFlag(environment: Environment, name: string, warnings: string[]): boolean {
  const given = environment[name]?.trim() ?? "";
  if (/^(?:1|true)$/i.test(given)) return true;
  if (!/^(?:0|false)?$/i.test(given)) {
    warnings.push(`${name} must be 0 or 1, got ${JSON.stringify(given)}; 0 is used.`);
  }
  return false;
}
