// A file that is being fetched, under a name of this process's own: NAME.UNIQUE.incomplete,
// and beside it a journal of the ranges that are written. A process that ends leaves both,
// and the next one takes them over by renaming them, which only one can do. Nobody waits for
// anybody: where another process is at work, this one fetches the file too. Bytes are never
// believed here; who commits has verified them.
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pid } from "node:process";
import { z } from "zod";
import { ByteRanges } from "./byte-ranges.js";
import { Changed } from "./failures.js";
import type { PullLimits } from "./limits.js";
import { hasEnded, ownerShape, thisOwner } from "./owner.js";

/** Which file. */
export interface PartialName {
  /** The file's name once it is complete. */
  readonly destination: string;
  readonly bytes: number;
  /** What must be equal for what was fetched to be of use: a digest, or a server's ETag. */
  readonly identity: string;
}

const dataSuffix = ".incomplete";
const journalSuffix = ".incomplete.journal";
const headerShape = z.object({ owner: ownerShape, bytes: z.number(), identity: z.string() });

/** What a journal says. */
interface Journal {
  readonly header: z.infer<typeof headerShape>;
  readonly done: ByteRanges;
  /** Its owner works at it no longer. */
  readonly released: boolean;
}

/** One process's partial file. Calls may overlap, except commit(), discard() and release(). */
export class PartialFile {
  readonly #name: PartialName;
  readonly #limits: PullLimits;
  readonly #stem: string;
  readonly #data: FileHandle;
  readonly #journal: FileHandle;
  readonly #beats: NodeJS.Timeout;
  #lastBeat = performance.now();
  #isLost = false;
  /** The bytes that are on the disk. */
  readonly done: ByteRanges;
  /** Whether an earlier pull fetched part of it. */
  readonly resumed: boolean;

  /** Takes a partial file over that nobody works at, else makes one. Makes the folder. */
  static async open(name: PartialName, limits: PullLimits): Promise<PartialFile> {
    await mkdir(dirname(name.destination), { recursive: true });
    const unique = `${pid}-${randomBytes(6).toString("hex")}`;
    const stem = `${name.destination}.${unique}`;
    const adopted = await adopt(name, stem, limits);
    const journal = await open(stem + journalSuffix, "a");
    try {
      const header = { owner: thisOwner(), bytes: name.bytes, identity: name.identity };
      await journal.write(`\n${JSON.stringify(header)}\n`);
      const data = await open(stem + dataSuffix, adopted === undefined ? "wx+" : "r+");
      return new PartialFile(name, limits, stem, data, journal, adopted);
    } catch (thrown) {
      await journal.close();
      await rm(stem + journalSuffix, { force: true });
      throw thrown;
    }
  }

  private constructor(
    name: PartialName,
    limits: PullLimits,
    stem: string,
    data: FileHandle,
    journal: FileHandle,
    adopted: ByteRanges | undefined,
  ) {
    this.#name = name;
    this.#limits = limits;
    this.#stem = stem;
    this.#data = data;
    this.#journal = journal;
    this.done = adopted ?? new ByteRanges();
    this.resumed = this.done.total > 0;
    this.#beats = setInterval(() => void this.#beat().catch(() => {}), limits.beatMs);
    this.#beats.unref();
  }

  /** Writes bytes at a place of the file, then says so in the journal. @throws Changed: another process has it */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (performance.now() - this.#lastBeat > this.#limits.leaseMs / 2) await this.#beat();
    if (this.#isLost) throw new Changed("another process has taken the partial file over");
    for (let at = 0; at < bytes.length; ) {
      at += (await this.#data.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
    }
    this.done.add({ start: position, end: position + bytes.length });
    await this.#journal.write(`${position} ${position + bytes.length}\n`);
  }

  /** Reads into the buffer. @returns how many bytes */
  async read(into: Uint8Array, position: number): Promise<number> {
    return (await this.#data.read(into, 0, into.length, position)).bytesRead;
  }

  /** Forgets what was fetched. */
  async reset(): Promise<void> {
    this.done.clear();
    await this.#journal.write("reset\n");
    await this.#data.truncate(0);
  }

  /** Gives the complete, verified file its name, and takes the journal away. */
  async commit(): Promise<void> {
    await this.#data.truncate(this.#name.bytes);
    await this.#data.datasync();
    await this.#beat();
    if (this.#isLost) throw new Changed("another process has taken the partial file over");
    await this.#close();
    await rename(this.#stem + dataSuffix, this.#name.destination).catch(async (thrown: unknown) => {
      // Windows replaces no file that is open; the one that is there is as good.
      const there = await stat(this.#name.destination).catch(() => undefined);
      if (there?.size !== this.#name.bytes) throw thrown;
      await rm(this.#stem + dataSuffix, { force: true });
    });
    await rm(this.#stem + journalSuffix, { force: true });
  }

  /** Removes it. */
  async discard(): Promise<void> {
    await this.#close();
    if (this.#isLost) return;
    await rm(this.#stem + dataSuffix, { force: true });
    await rm(this.#stem + journalSuffix, { force: true });
  }

  /** Leaves it for the next pull, of this process or another. */
  async release(): Promise<void> {
    await this.#journal.write("released\n").catch(() => {}); // a full disk; its owner's end will tell
    await this.#close();
  }

  async #close(): Promise<void> {
    clearInterval(this.#beats);
    await this.#data.close();
    await this.#journal.close();
  }

  /** A sign of life, and a look whether the file is still this process's. */
  async #beat(): Promise<void> {
    await this.#journal.write("\n");
    this.#lastBeat = performance.now();
    const [named, own] = await Promise.all([
      stat(this.#stem + journalSuffix).catch(() => undefined),
      this.#journal.stat(),
    ]);
    if (named?.ino !== own.ino) this.#isLost = true;
  }
}

/** Takes the fullest abandoned file over. @returns its ranges; undefined: there is none */
async function adopt(name: PartialName, stem: string, limits: PullLimits): Promise<ByteRanges | undefined> {
  for (const { stem: left, journal } of await abandoned(name, limits)) {
    const claimed = await rename(left + journalSuffix, stem + journalSuffix).then(
      () => true,
      () => false,
    );
    if (!claimed) continue;
    const moved = await rename(left + dataSuffix, stem + dataSuffix).then(
      () => true,
      () => false,
    );
    if (moved) return journal.done;
    await rm(stem + journalSuffix, { force: true });
  }
  return undefined;
}

/** How many bytes of the file the next pull finds fetched. */
export async function leftOver(name: PartialName, limits: PullLimits): Promise<number> {
  return (await abandoned(name, limits))[0]?.journal.done.total ?? 0;
}

/** Removes what ended processes left of a file that is complete now. */
export async function removeLeftOvers(name: PartialName, limits: PullLimits): Promise<void> {
  for (const { stem } of await abandoned({ ...name, identity: "" }, limits)) {
    await rm(stem + journalSuffix, { force: true });
    await rm(stem + dataSuffix, { force: true });
  }
}

interface LeftBehind {
  readonly stem: string;
  readonly journal: Journal;
}

/** Partial files of this name that nobody works at; the fullest first. An empty identity is any. */
async function abandoned(name: PartialName, limits: PullLimits): Promise<readonly LeftBehind[]> {
  const folder = dirname(name.destination);
  const prefix = `${basename(name.destination)}.`;
  const entries = await readdir(folder).catch(() => [] as string[]);
  const journals = entries.filter((entry) => entry.startsWith(prefix) && entry.endsWith(journalSuffix));
  const found: LeftBehind[] = [];
  for (const file of journals) {
    const path = join(folder, file);
    const journal = parseJournal(await readFile(path, "utf8").catch(() => ""));
    if (journal === undefined) continue;
    const { owner, bytes, identity } = journal.header;
    const isSame = name.identity === "" || (bytes === name.bytes && identity === name.identity);
    const isLeft = journal.released || hasEnded(owner) || (await ageOf(path)) > limits.leaseMs;
    if (isSame && isLeft) found.push({ stem: path.slice(0, -journalSuffix.length), journal });
  }
  return found.sort((one, other) => other.journal.done.total - one.journal.done.total);
}

/** Milliseconds since a file was written. */
async function ageOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 0 : Date.now() - found.mtimeMs;
}

/** Undefined where it has no header. A line that was cut off is no line. */
function parseJournal(text: string): Journal | undefined {
  const done = new ByteRanges();
  let header: Journal["header"] | undefined;
  let released = false;
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    if (line !== "") released = line === "released";
    if (line.startsWith("{")) header = parseHeader(line) ?? header;
    else if (line === "reset") done.clear();
    const [, start, end] = /^(\d+) (\d+)$/.exec(line) ?? [];
    if (start !== undefined) done.add({ start: Number(start), end: Number(end) });
  }
  return header === undefined ? undefined : { header, done, released };
}

function parseHeader(line: string): Journal["header"] | undefined {
  try {
    return headerShape.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
