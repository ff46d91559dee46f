// What of the repository a package needs to compile the native files by itself
// (`infernode build`): the native sources, CMake's files, the pin of llama.cpp, those of the
// headers, and the modules of the set-up that the build imports.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { kHeaders } from "../setup/headers.mjs";
import { root } from "../setup/paths.mjs";

const kSources = ["CMakeLists.txt", "cmake", "native", "third_party/llama.cpp.json"];
// The second is started by CMake.
const kEntries = ["tools/setup/build-native.mjs", "tools/setup/cuda-cmake.mjs"];

// Copies all of it into a package's folder.
export function placeBuildSources(folder) {
  for (const name of [...kSources, ...kEntries.flatMap((entry) => [...importsOf(entry)])]) {
    cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  }
  mkdirSync(path.join(folder, "third_party"), { recursive: true });
  const pins = `${JSON.stringify(headerPins(), null, 2)}\n`;
  writeFileSync(path.join(folder, "third_party/headers.json"), pins);
}

// A module and all that it imports by a relative path.
function importsOf(entry, found = new Set()) {
  if (found.has(entry)) return found;
  found.add(entry);
  const text = readFileSync(path.join(root, entry), "utf8");
  for (const [, name] of text.matchAll(/from "(\.[^"]+)"/g)) {
    importsOf(path.join(path.dirname(entry), name), found);
  }
  return found;
}

// Versions and checksums of the headers, as the lock file has them.
function headerPins() {
  const { packages } = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8"));
  return Object.fromEntries(
    Object.keys(kHeaders).map((name) => {
      const { version, integrity } = packages[`node_modules/${name}`];
      return [name, { version, integrity }];
    }),
  );
}
