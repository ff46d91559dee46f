// The prebuilt Vulkan backend that gives tests a device without a GPU: which npm package
// carries it, and what it must be, byte by byte. It belongs to the llama.cpp that
// third_party/llama.cpp.json pins and moves with that pin.
import path from "node:path";
import { paths } from "../setup/paths.mjs";

export const kLibrary = {
  npm: {
    package: "@node-llama-cpp/linux-x64-vulkan",
    version: "3.22.1",
    integrity:
      "sha512-bBxqU+JOcBu1nb5Qj2zcMci+JByT1E8EajHvYodyNfVIPkEhXh+/HMwR1/BT7xP08YK0hks+kM8fglER0P8JEg==",
  },
  release: "v0.5.0", // of llama.cpp
  member: "package/bins/linux-x64-vulkan/libggml-vulkan.so",
  sha256: "5dbbe80b520118b6b71f3ea31935ba107cee9c9c68f7e7ed18b20cdb424e819b",
  licence: "MIT",
};

export const softwareDevice = {
  folder: path.join(paths.state, "software-device"),
  library: path.join(paths.state, "software-device", "libggml-vulkan.so"),
};
