// CUDA architectures as people name them (80,90; native; all; runpod; a GPU's name), judged and
// turned into what CMake takes. Machine code (SASS) for each, and the newest as PTX too, so that
// later GPUs run the library. Knows which CUDA toolkit can build what.
import { execFileSync } from "node:child_process";
import { SetupFailure } from "./failure.mjs";
import { gpuNamed, gpuTable } from "./gpu-table.mjs";

/** A wish that cannot be understood; a command line answers it as it answers a wrong flag. */
export class UnknownArchitecture extends SetupFailure {}

// The CUDA versions that build for an architecture, from the first to the last where one
// dropped it, by NVIDIA's release notes.
const kToolkits = {
  50: ["7.0", "12.9"],
  52: ["7.0", "12.9"],
  53: ["7.0", "12.9"],
  60: ["8.0", "12.9"],
  61: ["8.0", "12.9"],
  62: ["8.0", "12.9"],
  70: ["9.0", "12.9"],
  72: ["9.2", "12.9"],
  75: ["10.0"],
  80: ["11.0"],
  86: ["11.1"],
  87: ["11.4"],
  88: ["13.0"],
  89: ["11.8"],
  90: ["11.8"],
  100: ["12.8"],
  101: ["12.8", "12.9"], // called 110 since
  103: ["12.9"],
  110: ["13.0"],
  120: ["12.8"],
  121: ["12.9"],
};
// First CUDA version with code for one architecture alone (a), and for a family (f).
const kLetters = { a: ["12.0", "12.8"], f: ["12.9", "12.9"] };
const kFirstWithLetter = { a: 90, f: 100 };

const kToken = /^(?:sm_)?(?:([1-9]\d{1,2})|([1-9]\d?)\.(\d))([af]?)(-real|-virtual)?$/;
const kWords = ["native", "all", "runpod"];

// Judges the words of `wish`, { arch?, gpus? }, without asking anything of this machine. Throws
// an UnknownArchitecture.
export async function judgeWish({ arch, gpus = [] }) {
  for (const word of wordsOf(arch)) if (!kWords.includes(word)) parseToken(word);
  for (const name of gpus) gpuNamed(name, await gpuTable(), UnknownArchitecture);
}

// What to build for `wish`: { tokens, sass, ptx, cmake, group, notes }. `toolkit` is a function
// that finds the CUDA toolkit, called for `all` alone. Without a wish: this machine's GPUs.
export async function architecturesFor({ arch, gpus = [] }, toolkit) {
  const words = wordsOf(arch);
  if (words.length + gpus.length === 0) words.push("native");
  const tokens = [];
  for (const word of words) tokens.push(...(await tokensOf(word, toolkit)));
  for (const name of gpus) {
    const { capability } = gpuNamed(name, await gpuTable(), UnknownArchitecture);
    tokens.push(parseToken(capability));
  }
  return arranged(tokens);
}

function wordsOf(arch) {
  return arch === undefined ? [] : arch.split(/[;,\s]/).map((word) => word.trim());
}

async function tokensOf(word, toolkit) {
  if (word === "native") return nativeCapabilities().map(parseToken);
  if (word === "all") return (await toolkit()).architectures.map((number) => parseToken(String(number)));
  if (word === "runpod") return (await gpuTable()).map(({ capability }) => parseToken(capability));
  return [parseToken(word)];
}

// { number, letter, part, word } of one architecture. ggml compiles 12x for 12xa, whose FP4 matrix
// instructions it uses: so named here, too.
function parseToken(word) {
  const [, whole, major, minor, letter, part] = kToken.exec(word) ?? [];
  const number = whole !== undefined ? Number(whole) : Number(major) * 10 + Number(minor);
  if (!Number.isInteger(number)) {
    throw new UnknownArchitecture(
      `"${word}" is no CUDA architecture; expected numbers such as 80,90 (compute capability 8.0 and 9.0), or native, all or runpod.`,
    );
  }
  const lettered = letter === "" && number >= 120 && number < 130 ? "a" : letter;
  return { number, letter: lettered, part, word, told: letter === "" && lettered === "a" };
}

function nativeCapabilities() {
  let printed = "";
  try {
    printed = execFileSync("nvidia-smi", ["--query-gpu=compute_cap", "--format=csv,noheader"], {
      encoding: "utf8",
      timeout: 10_000,
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    // Answered below: it tells of no GPU.
  }
  const found = printed.match(/^\d+\.\d+$/gm);
  if (found !== null) return [...new Set(found)];
  throw new SetupFailure(
    "nvidia-smi tells of no GPU in this machine, whose architecture would be built for; name some " +
      'with --arch 80,90 or --arch runpod, or a GPU with --gpu "RTX 4090".',
  );
}

// The names of tokens, oldest first, each once, and what CMake and messages need of them.
function arranged(given) {
  const tokens = [...new Map(given.map((token) => [nameOf(token) + (token.part ?? ""), token])).values()];
  tokens.sort((left, right) => left.number - right.number || left.letter.localeCompare(right.letter));
  const sass = new Set(tokens.filter(({ part }) => part !== "-virtual").map(nameOf));
  const ptx = new Set(tokens.filter(({ part }) => part === "-virtual").map(nameOf));
  const forward = tokens.filter(({ letter }) => letter === "");
  // Who wrote -real or -virtual has chosen PTX by hand.
  const chosen = tokens.some(({ part }) => part !== undefined);
  if (!chosen && forward.length > 0) ptx.add(nameOf(forward.at(-1)));
  return {
    tokens,
    sass: [...sass],
    ptx: [...ptx],
    cmake: forCmake(sass, ptx),
    group: [...sass, ...[...ptx].map((name) => `ptx${name}`)].join("+"),
    notes: notesOn(tokens, forward, chosen),
  };
}

// CMake's `90` is both, in one option of nvcc.
function forCmake(sass, ptx) {
  const real = [...sass].map((name) => (ptx.has(name) ? name : `${name}-real`));
  return [...real, ...[...ptx].filter((name) => !sass.has(name)).map((name) => `${name}-virtual`)].join(";");
}

function notesOn(tokens, forward, chosen) {
  const notes = [];
  const told = tokens.filter((token) => token.told).map(nameOf);
  if (told.length > 0)
    notes.push(`ggml compiles ${told.map((each) => each.slice(0, -1)).join(", ")} as ${told.join(", ")}`);
  if (!chosen && forward.length === 0) {
    notes.push(
      `code for ${tokens.map(nameOf).join(", ")} runs on no later GPU, not even as PTX: none is built in; ` +
        "add an architecture without a letter, such as 90, if later GPUs are to run this library",
    );
  }
  return notes;
}

const nameOf = ({ number, letter }) => `${number}${letter}`;

// Refuses what the found toolkit cannot build. `toolkit` is { version, folder, architectures },
// `cmake` CMake's version as numbers.
export function refuseUnbuildable({ tokens }, toolkit, cmake) {
  const impossible = tokens.filter((token) => !canBuild(token, toolkit));
  if (impossible.length > 0) {
    const which = impossible.map((token) => `${token.word} (${toolkitsFor(token)})`).join(", ");
    const can = toolkit.architectures.join(", ");
    const other = impossible.every(hasToolkit) ? ", or name another toolkit's nvcc in CUDACXX" : "";
    throw new SetupFailure(
      `the CUDA toolkit ${toolkit.version} in ${toolkit.folder} cannot build for ${which}; it can for ${can}. ` +
        `Leave ${impossible.length > 1 ? "these" : "it"} out${other}.`,
    );
  }
  const family = tokens.find(({ letter }) => letter === "f");
  if (family !== undefined && !takesFamilies(cmake)) {
    throw new SetupFailure(
      `cmake ${cmake.join(".")} does not take ${nameOf(family)}; 3.31.8, 4.0.2 and newer do. Build for ${family.number}a instead, or install a newer cmake.`,
    );
  }
}

function canBuild({ number, letter }, { version, architectures }) {
  if (!architectures.includes(number)) return false;
  if (letter === "") return true;
  return number >= kFirstWithLetter[letter] && !isNewer(firstWith(letter, number), version);
}

function firstWith(letter, number) {
  const [first, since] = kLetters[letter];
  const letters = number === kFirstWithLetter[letter] ? first : since;
  const own = kToolkits[number]?.[0] ?? letters;
  return isNewer(own, letters) ? own : letters;
}

function hasToolkit({ number, letter }) {
  return kToolkits[number] !== undefined && (letter === "" || number >= kFirstWithLetter[letter]);
}

function toolkitsFor(token) {
  const { number, letter } = token;
  if (!hasToolkit(token)) return "no CUDA toolkit known to infernode does";
  const [first, last] = kToolkits[number];
  const since = letter === "" ? first : firstWith(letter, number);
  return last === undefined ? `CUDA ${since} and newer can` : `CUDA ${since} to ${last} can`;
}

// From 3.31.8 in the third series, from 4.0.2 in the fourth.
function takesFamilies([major = 0, minor = 0, patch = 0]) {
  if (major === 3) return minor > 31 || (minor === 31 && patch >= 8);
  return major > 4 || (major === 4 && (minor > 0 || patch >= 2));
}

function isNewer(version, than) {
  const [a, b] = [version, than].map((each) => each.split(".").map(Number));
  return a[0] !== b[0] ? a[0] > b[0] : (a[1] ?? 0) > (b[1] ?? 0);
}

// "SASS 80, 90 and PTX 90".
export function spelled({ sass, ptx }) {
  const parts = [
    ...(sass.length > 0 ? [`SASS ${sass.join(", ")}`] : []),
    ...(ptx.length > 0 ? [`PTX ${ptx.join(", ")}`] : []),
  ];
  return parts.join(" and ") || "no code for GPUs";
}
