// llama.cpp's own programs of the pinned tree, built by tools/setup on demand: with our build
// options, or with upstream's defaults. The set-up prints the folder as its last line.
import path from "node:path";
import { results } from "./child.mjs";
import { places } from "./places.mjs";

export async function referenceFolder(programs, { upstreamDefaults = false } = {}) {
  const onLine = (line) => (path.isAbsolute(line) ? line : undefined);
  const switches = upstreamDefaults ? ["--upstream-defaults"] : [];
  const command = [places.referenceBuild, ...switches, ...programs];
  const what = `building ${programs.join(" and ")}`;
  return (await results(process.execPath, command, onLine, { what })).at(-1);
}
