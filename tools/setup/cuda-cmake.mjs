// What CMake asks where it is configured by hand with INFERNODE_CUDA_ARCHITECTURES
// (cmake/InfernodeCuda.cmake): writes the variables of the CUDA build as a file of CMake's.
//   node tools/setup/cuda-cmake.mjs ARCHITECTURES FILE
import { writeFileSync } from "node:fs";
import { cudaDefines, wishOfEnvironment } from "./cuda-build.mjs";
import { runMain } from "./failure.mjs";

await runMain(async () => {
  const [arch, file] = process.argv.slice(2);
  const nccl = process.argv.includes("--nccl");
  const defines = await cudaDefines({ ...wishOfEnvironment(), arch, nccl });
  const lines = Object.entries(defines).map(
    ([name, value]) => `set(${name} [==[${value}]==] CACHE STRING "by INFERNODE_CUDA_ARCHITECTURES" FORCE)\n`,
  );
  writeFileSync(file, lines.join(""));
});
